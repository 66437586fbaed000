//! The table: sessions, their list, and what guards their destinations. Each function here is one call to
//! DynamoDB, or a few that belong together.

use crate::error::{Error, call_error};
use crate::item::{
    ACTIVE, Item, Load, Mark, SESSIONS, YES, cursor_key, first_mark, get_moment, get_text,
    guard_key, json, number, place_in_list, read_load, read_record, session_key, text,
};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use relay::Timestamp;
use relay::ports::{CreateError, Page, Query, Record, StoreError};
use relay::progress::{Progress, Status};
use relay::session::{Address, Destination, Session, SessionId};
use std::collections::BTreeSet;

/// How long what has ended can be looked at, in seconds: a week.
const KEPT_SECONDS: u64 = 7 * 24 * 3_600;
/// The attribute that says when a session was weighed.
const WEIGHED: &str = "weighed";
/// How often a transaction is begun again that met another one on the same items.
pub(crate) const ROUNDS: usize = 5;

/// The table of a deployment.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// What a session was found to weigh, for packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// How much it carries.
    pub bits_per_second: u64,
    /// The longest of its latest polls.
    pub tick_ms: u64,
    /// When that was found.
    pub at: Timestamp,
}

impl Table {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self { client: Client::new(config), name }
    }

    /// One session as it was last reported, and when it was weighed last.
    pub(crate) async fn record(
        &self,
        id: &SessionId,
        created: Timestamp,
    ) -> Result<Option<(Record, Option<Timestamp>)>, Error> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = request.set_key(Some(session_key(id, created))).send().await;
        let answer = answer.map_err(|error| call_error("dynamodb:GetItem", &error))?;
        let read = |item| read_record(item).map(|record| (record, get_moment(item, WEIGHED)));
        answer.item.as_ref().map(read).transpose()
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
        weight: Option<Weight>,
    ) -> Result<(), Error> {
        let Session { id, created, .. } = &record.session;
        let mut set = "SET progress = :progress, #status = :status".to_owned();
        let mut request = self.client.update_item();
        if let Some(Weight { bits_per_second, tick_ms, at }) = weight {
            for (name, value) in
                [("bits_per_second", bits_per_second), ("tick_ms", tick_ms), (WEIGHED, at.0)]
            {
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
