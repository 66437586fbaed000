//! The cursor items of the table: how far each session has come, and which run holds it.

use crate::error::{Error, call_error};
use crate::item::{Item, Mark, YES, bytes, cursor_key, moment, number, text};
use crate::runs::RunId;
use crate::table::{ROUNDS, Table};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use relay::Timestamp;
use relay::session::SessionId;
use std::collections::{BTreeMap, BTreeSet};

/// As many keys as one call takes.
const BATCH: usize = 100;

/// A write that depends on what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was done.
    Done,
    /// It was not, for this is there.
    Not(Option<Box<Mark>>),
}

impl Table {
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
        request: UpdateItemFluentBuilder,
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
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
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
}
