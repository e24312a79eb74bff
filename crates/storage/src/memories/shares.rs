//! With whom memories are shared.

use std::collections::HashMap;

use picard_domain::memory::SharedWith;
use picard_domain::{Error, GroupId, MemoryId, UserId};
use sqlx::{PgExecutor, Postgres, Transaction};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// People or groups, each with the memory that they may see.
#[derive(Default)]
pub(crate) struct ShareRows {
    memories: Vec<Uuid>,
    with: Vec<Uuid>,
    positions: Vec<i16>,
}

impl ShareRows {
    pub(crate) fn push(&mut self, memory: MemoryId, with: impl Iterator<Item = Uuid>) {
        for (position, with) in (0..).zip(with) {
            self.memories.push(memory.0);
            self.with.push(with);
            self.positions.push(position);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.with.is_empty()
    }
}

impl Store {
    /// Whether this person has a list of people or groups on any memory.
    ///
    /// # Errors
    /// As every statement.
    pub async fn has_shares(&self, owner: UserId) -> Result<bool, Error> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM memory_shared_users WHERE user_id = $1)
                   OR EXISTS (SELECT FROM memory_shared_groups WHERE user_id = $1) AS "has!""#,
            owner.0,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }
}

/// Stores the lists of memories that are in the same transaction or were there before.
pub(crate) async fn insert_shares(
    transaction: &mut Transaction<'_, Postgres>,
    owner: UserId,
    people: &ShareRows,
    groups: &ShareRows,
) -> Result<(), Error> {
    if !people.is_empty() {
        sqlx::query!(
            "INSERT INTO memory_shared_users (memory_id, user_id, person_id, position)
             SELECT s.memory_id, $1, s.person_id, s.position FROM unnest($2::uuid[], $3::uuid[], $4::smallint[]) AS s (memory_id, person_id, position)",
            owner.0,
            &people.memories,
            &people.with,
            &people.positions,
        )
        .execute(&mut **transaction)
        .await
        .map_err(storage_error)?;
    }
    if groups.is_empty() {
        return Ok(());
    }
    // One may share into groups that one owns or is in; of others one learns nothing, not even whether they exist.
    let stored = sqlx::query!(
        "INSERT INTO memory_shared_groups (memory_id, user_id, group_id, position)
         SELECT s.memory_id, $1, s.group_id, s.position FROM unnest($2::uuid[], $3::uuid[], $4::smallint[]) AS s (memory_id, group_id, position)
         WHERE EXISTS (SELECT 1 FROM groups g WHERE g.id = s.group_id AND g.user_id = $1)
            OR EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = s.group_id AND m.user_id = $1)",
        owner.0,
        &groups.memories,
        &groups.with,
        &groups.positions,
    )
    .execute(&mut **transaction)
    .await
    .map_err(storage_error)?;
    if stored.rows_affected() == groups.with.len() as u64 {
        return Ok(());
    }
    Err(Error::invalid("shared_with.groups", "must be groups that you own or are in"))
}

/// Replaces the list of a memory.
pub(crate) async fn replace_shares(
    transaction: &mut Transaction<'_, Postgres>,
    owner: UserId,
    memory: MemoryId,
    shared_with: &SharedWith,
) -> Result<(), Error> {
    sqlx::query!(
        "WITH people AS (DELETE FROM memory_shared_users WHERE memory_id = $1 AND user_id = $2)
         DELETE FROM memory_shared_groups WHERE memory_id = $1 AND user_id = $2",
        memory.0,
        owner.0,
    )
    .execute(&mut **transaction)
    .await
    .map_err(storage_error)?;
    let (mut people, mut groups) = (ShareRows::default(), ShareRows::default());
    people.push(memory, shared_with.users.iter().map(|person| person.0));
    groups.push(memory, shared_with.groups.iter().map(|group| group.0));
    insert_shares(transaction, owner, &people, &groups).await
}

/// Takes groups out of a memory's list that its owner neither owns nor is in.
pub(crate) async fn drop_foreign_groups(
    transaction: &mut Transaction<'_, Postgres>,
    owner: UserId,
    memory: MemoryId,
) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM memory_shared_groups s
         WHERE s.memory_id = $1 AND s.user_id = $2
           AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = s.group_id AND g.user_id = $2)
           AND NOT EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = s.group_id AND m.user_id = $2)",
        memory.0,
        owner.0,
    )
    .execute(&mut **transaction)
    .await
    .map(|_| ())
    .map_err(storage_error)
}

/// The lists of these memories of one owner; what is not shared has none.
pub(crate) async fn shares_of(
    database: impl PgExecutor<'_>,
    owner: UserId,
    memories: &[Uuid],
) -> Result<HashMap<MemoryId, SharedWith>, Error> {
    let rows = sqlx::query!(
        r#"SELECT memory_id AS "memory_id!", person_id, NULL::uuid AS group_id, position AS "position!" FROM memory_shared_users
           WHERE memory_id = ANY ($2) AND user_id = $1
           UNION ALL
           SELECT memory_id, NULL, group_id, position FROM memory_shared_groups WHERE memory_id = ANY ($2) AND user_id = $1
           ORDER BY 4"#,
        owner.0,
        memories,
    )
    .fetch_all(database)
    .await
    .map_err(storage_error)?;
    let mut lists: HashMap<MemoryId, SharedWith> = HashMap::new();
    for row in rows {
        let list = lists.entry(MemoryId(row.memory_id)).or_default();
        list.users.extend(row.person_id.map(UserId));
        list.groups.extend(row.group_id.map(GroupId));
    }
    Ok(lists)
}
