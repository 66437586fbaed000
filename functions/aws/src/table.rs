//! The table: each function here is one call to DynamoDB, or a few that belong together.

use crate::error::{Error, call_error};
use crate::item::{
    ACTIVE, Item, Load, Mark, SESSIONS, YES, bytes, cursor_key, first_mark, get_text, guard_key,
    json, moment, number, place_in_list, read_load, read_record, session_key, text,
};
use crate::runs::RunId;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    Delete, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use relay::Timestamp;
use relay::ports::{CreateError, Page, Query, Record, StoreError};
use relay::progress::{Progress, Status};
use relay::session::{Address, Destination, Session, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// How long what has ended can be looked at, in seconds: a week.
const KEPT_SECONDS: u64 = 7 * 24 * 3_600;
/// As many keys as one call takes.
const BATCH: usize = 100;
/// How often a transaction is begun again that met another one on the same items.
const ROUNDS: usize = 5;

/// The table of a deployment.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

/// A write that depends on what is there.
pub(crate) enum Written {
    /// It was done.
    Done,
    /// It was not, for this is there.
    Not(Option<Box<Mark>>),
}

/// What a session's report changes beside its progress.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    pub(crate) bits_per_second: Option<u64>,
    pub(crate) tick_ms: Option<u64>,
}

impl Table {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self { client: Client::new(config), name }
    }

    /// How far a session has come, and who holds it; absent when there is no such session.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn mark(&self, id: &SessionId) -> Result<Option<Mark>, Error> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = request.set_key(Some(cursor_key(id))).send().await;
        let answer = answer.map_err(|error| call_error("dynamodb:GetItem", &error))?;
        answer.item.as_ref().map(Mark::read).transpose()
    }

    /// The same of many sessions, as far as they are there and can be read.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn marks(
        &self,
        ids: &BTreeSet<SessionId>,
    ) -> Result<BTreeMap<SessionId, Mark>, Error> {
        const CALL: &str = "dynamodb:BatchGetItem";
        let mut keys: Vec<Item> = ids.iter().map(cursor_key).collect();
        let mut marks = BTreeMap::new();
        let mut fruitless = 0;
        while !keys.is_empty() {
            let batch = keys.split_off(keys.len().saturating_sub(BATCH));
            let asked = batch.len();
            let batch = KeysAndAttributes::builder().set_keys(Some(batch)).consistent_read(true);
            let batch = batch.build().expect("it has keys");
            let request = self.client.batch_get_item().request_items(&self.name, batch);
            let mut answer = request.send().await.map_err(|error| call_error(CALL, &error))?;
            for item in answer.responses.iter().flat_map(|all| all.get(&self.name)).flatten() {
                match Mark::read(item) {
                    Ok(mark) => drop(marks.insert(mark.id.clone(), mark)),
                    // One session that cannot be read is no reason to leave the others alone.
                    Err(error) => {
                        tracing::error!(%error, "cannot read what is stored of a session")
                    }
                }
            }
            let left = answer.unprocessed_keys.take().and_then(|mut all| all.remove(&self.name));
            let left = left.map(|left| left.keys).unwrap_or_default();
            fruitless = if left.len() == asked { fruitless + 1 } else { 0 };
            if fruitless == ROUNDS {
                return Err(Error::Throttled { call: CALL });
            }
            keys.extend(left);
        }
        Ok(marks)
    }

    /// One session as it was last reported.
    pub(crate) async fn record(
        &self,
        id: &SessionId,
        created: Timestamp,
    ) -> Result<Option<Record>, Error> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = request.set_key(Some(session_key(id, created))).send().await;
        let answer = answer.map_err(|error| call_error("dynamodb:GetItem", &error))?;
        answer.item.as_ref().map(read_record).transpose()
    }

    /// Who writes to a destination.
    async fn writer(&self, destination: &Destination) -> Result<Option<SessionId>, Error> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = request.set_key(Some(guard_key(destination))).send().await;
        let answer = answer.map_err(|error| call_error("dynamodb:GetItem", &error))?;
        let by = |item: Item| get_text(&item, "session").map(|id| SessionId(id.to_owned()));
        Ok(answer.item.and_then(by))
    }

    /// Sessions, newest first. What a newer version of this program wrote and this one cannot read is
    /// left out.
    pub(crate) async fn list(&self, query: &Query, after: Option<&Mark>) -> Result<Page, Error> {
        let before = after.map_or("a".to_owned(), |mark| place_in_list(&mark.id, mark.created));
        let limit = query.limit.max(1);
        let mut page = Page::default();
        let mut start = None;
        loop {
            let mut request = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .scan_index_forward(false)
                .key_condition_expression("PK = :sessions AND SK < :before")
                .expression_attribute_values(":sessions", text(SESSIONS))
                .expression_attribute_values(":before", text(&before))
                .set_exclusive_start_key(start);
            if let Some(status) = query.status {
                request = request
                    .filter_expression("#status = :status")
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":status", text(status.to_string()));
            } else {
                request = request.limit(i32::try_from(limit + 1).unwrap_or(i32::MAX));
            }
            let answer = request.send().await;
            let answer = answer.map_err(|error| call_error("dynamodb:Query", &error))?;
            for item in answer.items.iter().flatten() {
                let record = match read_record(item) {
                    Ok(record) => record,
                    Err(error) => {
                        tracing::warn!(%error, "cannot read what is stored of a session");
                        continue;
                    }
                };
                if page.sessions.len() == limit {
                    page.next = page.sessions.last().map(|last| last.session.id.clone());
                    return Ok(page);
                }
                page.sessions.push(record);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(page);
            }
        }
    }

    /// The active sessions, oldest first, and what they weigh.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn active(&self) -> Result<Vec<Load>, Error> {
        let mut loads = Vec::new();
        let mut start = None;
        loop {
            let request = self
                .client
                .query()
                .table_name(&self.name)
                .index_name(ACTIVE)
                .key_condition_expression("active = :yes")
                .expression_attribute_values(":yes", text(YES))
                .set_exclusive_start_key(start);
            let answer = request.send().await;
            let answer = answer.map_err(|error| call_error("dynamodb:Query", &error))?;
            loads.extend(answer.items.iter().flatten().filter_map(read_load));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(loads);
            }
        }
    }

    /// Adds a session and takes its destinations.
    pub(crate) async fn create(&self, session: &Session) -> Result<(), CreateError> {
        let mut places: Vec<Destination> = Vec::new();
        for address in &session.endpoints {
            let place = Destination::of(address);
            // A transaction names an item once; the API refuses a session that names a place twice.
            if !places.contains(&place) {
                places.push(place);
            }
        }
        for _ in 0..ROUNDS {
            let mut writes: Vec<TransactWriteItem> =
                places.iter().map(|place| self.put_new(guard(place, session))).collect();
            writes.push(self.put_new(first_mark(session)));
            writes.push(self.put_new(first_item(session)));
            let Some(refused) = self.transact(writes).await.map_err(StoreError::from)? else {
                return Ok(());
            };
            let taken = refused.iter().take(places.len()).position(|refused| *refused);
            if let Some(taken) = taken {
                // It may have been freed since.
                let Some(by) = self.writer(&places[taken]).await.map_err(StoreError::from)? else {
                    continue;
                };
                let same = |address: &Address| Destination::of(address) == places[taken];
                let endpoint = session.endpoints.iter().position(same).unwrap_or(taken);
                return Err(CreateError::Taken { by, endpoint });
            }
            if refused.contains(&true) {
                let reason = format!("there is a session {} already", session.id);
                return Err(StoreError { reason }.into());
            }
        }
        let reason = "the session's items are being written by others".to_owned();
        Err(StoreError { reason }.into())
    }

    /// Writes how an active session is doing; does nothing when it is not active.
    pub(crate) async fn report(
        &self,
        record: &Record,
        progress: &Progress,
        weight: Weight,
    ) -> Result<(), Error> {
        let Session { id, created, .. } = &record.session;
        let mut set = "SET progress = :progress, #status = :status".to_owned();
        let mut request = self.client.update_item();
        for (name, value) in
            [("bits_per_second", weight.bits_per_second), ("tick_ms", weight.tick_ms)]
        {
            if let Some(value) = value {
                set.push_str(&format!(", {name} = :{name}"));
                request = request.expression_attribute_values(format!(":{name}"), number(value));
            }
        }
        let condition = if progress.status.is_active() {
            "attribute_exists(active)"
        } else {
            "attribute_exists(PK)"
        };
        let request = request
            .table_name(&self.name)
            .set_key(Some(session_key(id, *created)))
            .update_expression(set)
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":progress", json(progress))
            .expression_attribute_values(":status", text(progress.status.to_string()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(call_error("dynamodb:UpdateItem", &error)),
        }
    }

    /// Ends an active session and frees its destinations; says whether it was active.
    pub(crate) async fn end(
        &self,
        session: &Session,
        progress: &Progress,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let expires = number(now.as_secs() + KEPT_SECONDS);
        for _ in 0..ROUNDS {
            let listed = Update::builder()
                .table_name(&self.name)
                .set_key(Some(session_key(&session.id, session.created)))
                .update_expression(
                    "SET progress = :progress, #status = :status, expires = :expires REMOVE active",
                )
                .condition_expression("attribute_exists(active)")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":progress", json(progress))
                .expression_attribute_values(":status", text(progress.status.to_string()))
                .expression_attribute_values(":expires", expires.clone())
                .build()
                .expect("it has a key and an expression");
            let cursor = Update::builder()
                .table_name(&self.name)
                .set_key(Some(cursor_key(&session.id)))
                .update_expression("SET #over = :yes, expires = :expires")
                .condition_expression("attribute_exists(PK)")
                .expression_attribute_names("#over", "over")
                .expression_attribute_values(":yes", text(YES))
                .expression_attribute_values(":expires", expires.clone())
                .build()
                .expect("it has a key and an expression");
            let mut writes = vec![
                TransactWriteItem::builder().update(listed).build(),
                TransactWriteItem::builder().update(cursor).build(),
            ];
            let places: BTreeSet<Destination> =
                session.endpoints.iter().map(Destination::of).collect();
            writes.extend(places.iter().map(|place| self.free(place, &session.id)));
            match self.transact(writes).await? {
                None => return Ok(true),
                Some(refused) if refused.contains(&true) => return Ok(false),
                Some(_) => {}
            }
        }
        Err(Error::Throttled { call: "dynamodb:TransactWriteItems" })
    }

    /// Takes away a session whose secrets could not be kept.
    pub(crate) async fn undo(&self, session: &Session) -> Result<(), Error> {
        let delete = |key: Item| {
            let delete = Delete::builder().table_name(&self.name).set_key(Some(key)).build();
            TransactWriteItem::builder().delete(delete.expect("it has a key")).build()
        };
        let places: BTreeSet<Destination> = session.endpoints.iter().map(Destination::of).collect();
        let mut writes = vec![
            delete(session_key(&session.id, session.created)),
            delete(cursor_key(&session.id)),
        ];
        writes.extend(places.iter().map(|place| self.free(place, &session.id)));
        self.transact(writes).await.map(|_| ())
    }

    /// Puts a cursor in the place of the one of `expected`; by a run, when it still holds the session.
    pub(crate) async fn commit(
        &self,
        id: &SessionId,
        expected: u64,
        cursor: &[u8],
        held: Option<(&RunId, Timestamp)>,
    ) -> Result<Written, Error> {
        let mut request = self
            .client
            .update_item()
            .expression_attribute_values(":cursor", bytes(cursor))
            .expression_attribute_values(":next", number(expected + 1))
            .expression_attribute_values(":expected", number(expected));
        let mut set = "SET #cursor = :cursor, rev = :next".to_owned();
        let mut condition = "rev = :expected AND attribute_not_exists(#over)".to_owned();
        if let Some((run, until)) = held {
            set.push_str(", #until = :until");
            condition.push_str(" AND holder = :run");
            request = request
                .expression_attribute_names("#until", "until")
                .expression_attribute_values(":until", moment(until))
                .expression_attribute_values(":run", text(&run.0));
        }
        let request = request
            .expression_attribute_names("#cursor", "cursor")
            .expression_attribute_names("#over", "over")
            .update_expression(set)
            .condition_expression(condition);
        self.change(id, request).await
    }

    /// Makes `run` the holder in the place of the one in `mark`, which publishes until `from` at most.
    pub(crate) async fn take_over(
        &self,
        mark: &Mark,
        run: &RunId,
        from: Timestamp,
    ) -> Result<Written, Error> {
        let mut set = "SET holder = :run, #from = :from, #until = :never".to_owned();
        let mut request = self.client.update_item();
        let condition = match &mark.holder {
            None => "attribute_not_exists(holder) AND attribute_not_exists(#over)".to_owned(),
            Some(holder) => {
                set.push_str(", relieved = :holder");
                request = request
                    .expression_attribute_values(":holder", text(&holder.0))
                    .expression_attribute_values(":until", moment(mark.until));
                "holder = :holder AND #until = :until AND attribute_not_exists(#over)".to_owned()
            }
        };
        let request = request
            .expression_attribute_names("#from", "from")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#over", "over")
            .expression_attribute_values(":run", text(&run.0))
            .expression_attribute_values(":from", moment(from))
            .expression_attribute_values(":never", number(0))
            .update_expression(set)
            .condition_expression(condition);
        self.change(&mark.id, request).await
    }

    /// Lengthens the lease of `run`.
    pub(crate) async fn renew(
        &self,
        id: &SessionId,
        run: &RunId,
        until: Timestamp,
    ) -> Result<Written, Error> {
        let request = self
            .client
            .update_item()
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#over", "over")
            .expression_attribute_values(":until", moment(until))
            .expression_attribute_values(":run", text(&run.0))
            .update_expression("SET #until = :until")
            .condition_expression("holder = :run AND attribute_not_exists(#over)");
        self.change(id, request).await
    }

    /// Ends the lease of `run`, which publishes no more: whoever waits for that may go on. What `run`
    /// itself had to wait for, until `from`, its successor still has to.
    pub(crate) async fn release(
        &self,
        id: &SessionId,
        run: &RunId,
        from: Timestamp,
    ) -> Result<(), Error> {
        let update = |name: &'static str, at: Timestamp| {
            self.client
                .update_item()
                .expression_attribute_names("#end", name)
                .expression_attribute_values(":at", moment(at))
                .expression_attribute_values(":run", text(&run.0))
                .update_expression("SET #end = :at")
        };
        let of_successor = update("from", from).condition_expression("relieved = :run");
        if let Written::Done = self.change(id, of_successor).await? {
            return Ok(());
        }
        let own = update("until", Timestamp(0)).condition_expression("holder = :run");
        self.change(id, own).await.map(|_| ())
    }

    /// Lets no run commit or publish any more; gives who held the session.
    pub(crate) async fn halt(&self, id: &SessionId) -> Result<Option<Mark>, Error> {
        let request = self
            .client
            .update_item()
            .expression_attribute_names("#over", "over")
            .expression_attribute_values(":yes", text(YES))
            .update_expression("SET #over = :yes")
            .condition_expression("attribute_exists(PK)");
        match self.change(id, request).await? {
            Written::Done => self.mark(id).await,
            Written::Not(_) => Ok(None),
        }
    }

    async fn change(
        &self,
        id: &SessionId,
        request: aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder,
    ) -> Result<Written, Error> {
        let answer = request
            .table_name(&self.name)
            .set_key(Some(cursor_key(id)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(Written::Done),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let there = failed.item().filter(|item| !item.is_empty());
                let mark = match there {
                    Some(item) => Some(Mark::read(item)?),
                    // Not every stand-in for DynamoDB says what is there.
                    None => self.mark(id).await?,
                };
                Ok(Written::Not(mark.map(Box::new)))
            }
            _ => Err(call_error("dynamodb:UpdateItem", &error)),
        }
    }

    fn put_new(&self, item: Item) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(PK)")
            .build();
        TransactWriteItem::builder().put(put.expect("it has an item")).build()
    }

    fn free(&self, place: &Destination, id: &SessionId) -> TransactWriteItem {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(guard_key(place)))
            .condition_expression("attribute_not_exists(PK) OR #session = :id")
            .expression_attribute_names("#session", "session")
            .expression_attribute_values(":id", text(&id.0))
            .build();
        TransactWriteItem::builder().delete(delete.expect("it has a key")).build()
    }

    /// Does all writes, or none: then it says of each whether its condition was why. None of them was
    /// when another transaction was in the way.
    async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Option<Vec<bool>>, Error> {
        let request = self.client.transact_write_items().set_transact_items(Some(writes));
        let error = match request.send().await {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let reasons = cancelled.cancellation_reasons();
            let codes = || reasons.iter().map(|reason| reason.code().unwrap_or_default());
            let passes = |code: &str| {
                matches!(code, "" | "None" | "ConditionalCheckFailed" | "TransactionConflict")
            };
            if let Some(code) = codes().find(|code| !passes(code)) {
                let call = "dynamodb:TransactWriteItems";
                return Err(match code {
                    "ThrottlingError" | "ProvisionedThroughputExceeded" => {
                        Error::Throttled { call }
                    }
                    code => Error::Unavailable { call, code: code.to_owned() },
                });
            }
            return Ok(Some(codes().map(|code| code == "ConditionalCheckFailed").collect()));
        }
        Err(call_error("dynamodb:TransactWriteItems", &error))
    }
}

fn guard(place: &Destination, session: &Session) -> Item {
    let mut item = guard_key(place);
    item.insert("place".to_owned(), text(place.as_ref()));
    item.insert("session".to_owned(), text(&session.id.0));
    item
}

fn first_item(session: &Session) -> Item {
    let mut item = session_key(&session.id, session.created);
    item.insert(ACTIVE.to_owned(), text(YES));
    item.insert("session".to_owned(), json(session));
    item.insert("progress".to_owned(), json(&Progress::default()));
    item.insert("status".to_owned(), text(Status::default().to_string()));
    item
}
