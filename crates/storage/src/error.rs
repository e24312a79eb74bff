//! What a database error means to the rules.

use picard_domain::Error;

/// Tells a database that is away (worth a retry) from a bug.
#[must_use]
pub fn storage_error(error: sqlx::Error) -> Error {
    if is_away(&error) { Error::unavailable("The database", error) } else { Error::internal(error) }
}

fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        // Connection failures, too many connections and other shortages (53), being shut down or starting (57),
        // time-outs (57014, 55P03), a database that takes no connections (55000, 28, 3D), deadlocks and serialization
        // failures (40): all pass.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| ["08", "53", "57", "40", "55", "28", "3D"].iter().any(|class| code.starts_with(class))),
        _ => false,
    }
}

/// The name of the unique constraint that was violated, if that is what happened.
pub(crate) fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().filter(|error| error.is_unique_violation()).and_then(|error| error.constraint())
}
