//! The pool of connections, with those of single statements kept at hand.
//!
//! sqlx asks a connection for a sign of life each time it comes back, and so do we, with a time limit. Around a
//! statement that takes a tenth of a millisecond that is two thirds of the work. Here a connection whose statement
//! ended in order goes to whoever waits for one, or waits itself, without being asked anything; every other way back
//! leads through the pool.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgPool, Postgres, SqlStr, Transaction};
use tokio::sync::oneshot;

use crate::store::is_alive;

/// A connection that has rested for longer is asked for a sign of life before it is used.
pub(crate) const REST: Duration = Duration::from_secs(1);
/// Connections to the server's database; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pool: PgPool,
    kept: Arc<Mutex<Kept>>,
}

/// So many connections are opened or fetched from the pool at the same time for single statements.
const MOST_FETCHING: usize = 4;

/// What a statement that waits gets.
type Answer = Result<PoolConnection<Postgres>, Error>;

/// What waits for whom.
#[derive(Debug, Default)]
struct Kept {
    /// The one that was used last is at the end.
    resting: VecDeque<(Instant, PoolConnection<Postgres>)>,
    /// Whether a task looks after those that rest.
    is_tended: bool,
    /// Single statements that wait for a connection.
    statements: VecDeque<oneshot::Sender<Answer>>,
    /// Tasks that fetch connections for them.
    fetching: usize,
    /// Transactions and others that wait for the pool itself.
    others: usize,
}

/// What a statement gets.
enum Next {
    /// A connection, and since when it has rested.
    Rested(Instant, PoolConnection<Postgres>),
    /// A place among those who wait.
    Wait(oneshot::Receiver<Answer>),
}

/// A connection for one statement. Dropping it gives it to the pool, which looks at it first.
struct Taken<'a> {
    connections: &'a Pool,
    connection: Option<PoolConnection<Postgres>>,
}

/// Counts somebody who waits for the pool.
struct Waiting<'a>(&'a Pool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.kept().others -= 1;
    }
}

impl Pool {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Arc::default() }
    }

    /// The pool itself, for what keeps a connection for good.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Open connections, and how many of them nobody uses at the moment.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.pool.size() as usize, self.pool.num_idle() + self.kept().resting.len())
    }

    /// Waits until every connection has come back and closes them.
    pub(crate) async fn close(&self) {
        let closed = self.pool.close();
        let resting = std::mem::take(&mut self.kept().resting);
        drop(resting);
        closed.await;
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let _waiting = self.make_way();
        self.pool.begin().await
    }

    /// A connection for several statements.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        let _waiting = self.make_way();
        self.pool.acquire().await
    }

    /// Lets the pool have one that rests here, and the next ones that come back.
    fn make_way(&self) -> Waiting<'_> {
        let resting = {
            let mut kept = self.kept();
            kept.others += 1;
            kept.resting.pop_front()
        };
        drop(resting);
        Waiting(self)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self) -> Result<Taken<'_>, Error> {
        let taken = |connection| Taken { connections: self, connection: Some(connection) };
        loop {
            match self.next() {
                Next::Rested(since, mut connection) => {
                    if since.elapsed() <= REST || is_alive(&mut connection).await.unwrap_or(false) {
                        return Ok(taken(connection));
                    }
                    connection.close_on_drop();
                }
                Next::Wait(receiver) => {
                    let patience = self.pool.options().get_acquire_timeout();
                    let answer = tokio::time::timeout(patience, receiver).await.map_err(|_| Error::PoolTimedOut)?;
                    return answer.unwrap_or(Err(Error::PoolTimedOut)).map(taken);
                }
            }
        }
    }

    /// Looking for one and beginning to wait are one step: none can come back in between.
    fn next(&self) -> Next {
        let mut kept = self.kept();
        let Some((since, connection)) = kept.resting.pop_back() else {
            let (sender, receiver) = oneshot::channel();
            kept.statements.push_back(sender);
            if kept.fetching < MOST_FETCHING {
                kept.fetching += 1;
                tokio::spawn(self.clone().fetch());
            }
            return Next::Wait(receiver);
        };
        Next::Rested(since, connection)
    }

    /// Fetches connections from the pool as long as statements wait.
    ///
    /// In a task of its own: a statement that gets another connection meanwhile would give up one that is being opened.
    async fn fetch(self) {
        loop {
            let answer = self.pool.acquire().await;
            let mut kept = self.kept();
            let left = match answer {
                // Every statement has a time limit of its own, and those that wait now may have begun a moment ago.
                Err(Error::PoolTimedOut) => None,
                answer => kept.hand(answer),
            };
            let is_done = kept.statements.is_empty();
            if is_done {
                kept.fetching -= 1;
            }
            drop(kept);
            if let Some(Ok(connection)) = left {
                self.keep(connection);
            }
            if is_done {
                return;
            }
        }
    }

    /// Gives back to the pool what nobody has used for a while, until nothing rests any more.
    async fn tend(self) {
        loop {
            tokio::time::sleep(REST).await;
            let mut kept = self.kept();
            let count = kept.resting.iter().take_while(|(since, _)| since.elapsed() >= REST).count();
            let rested: Vec<_> = kept.resting.drain(..count).collect();
            let is_done = kept.resting.is_empty();
            kept.is_tended = !is_done;
            drop(kept);
            drop(rested);
            if is_done {
                return;
            }
        }
    }

    /// Gives a connection whose statement has ended in order to whoever needs it.
    fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut kept = self.kept();
        let is_kept = !self.pool.is_closed() && kept.others == 0;
        let left = if is_kept { kept.hand(Ok(connection)) } else { Some(Ok(connection)) };
        let unwanted = match left {
            Some(Ok(connection)) if is_kept => {
                kept.resting.push_back((Instant::now(), connection));
                if !kept.is_tended {
                    kept.is_tended = true;
                    tokio::spawn(self.clone().tend());
                }
                None
            }
            other => other,
        };
        drop(kept);
        // Into the pool, outside the lock.
        drop(unwanted);
    }
}

impl Kept {
    /// Hands this to the statement that has waited the longest; what nobody waits for comes back.
    fn hand(&mut self, answer: Answer) -> Option<Answer> {
        let mut answer = answer;
        while let Some(waiting) = self.statements.pop_front() {
            match waiting.send(answer) {
                Ok(()) => return None,
                // Whoever waited has left.
                Err(refused) => answer = refused,
            }
        }
        Some(answer)
    }
}

impl Taken<'_> {
    fn connection(&mut self) -> Result<&mut PoolConnection<Postgres>, Error> {
        self.connection.as_mut().ok_or(Error::PoolClosed)
    }

    /// After an error of the statement itself the connection is as good as before.
    fn end<T>(mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if matches!(&outcome, Ok(_) | Err(Error::Database(_)))
            && let Some(connection) = self.connection.take()
        {
            self.connections.keep(connection);
        }
        outcome
    }
}

type Step = Either<PgQueryResult, PgRow>;

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    /// All rows are read before the first is handed out: then the statement has ended, and what it did is committed.
    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let all = async move {
            let mut taken = self.take().await?;
            let steps: Result<Vec<Step>, Error> = taken.connection()?.fetch_many(query).try_collect().await;
            taken.end(steps).map(|steps| stream::iter(steps.into_iter().map(Ok)))
        };
        all.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let mut taken = self.take().await?;
            let mut first = None;
            let read = async {
                let mut steps = taken.connection()?.fetch_many(query);
                while let Some(step) = steps.try_next().await? {
                    first = first.take().or(step.right());
                }
                Ok(())
            };
            let read = read.await;
            taken.end(read).map(|()| first)
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut taken = self.take().await?;
            let prepared = taken.connection()?.prepare_with(sql, parameters).await;
            taken.end(prepared)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut taken = self.take().await?;
            let described = taken.connection()?.describe(sql).await;
            taken.end(described)
        })
    }
}
