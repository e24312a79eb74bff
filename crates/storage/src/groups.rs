//! Groups of people.

use picard_domain::commands::Once;
use picard_domain::group::{Group, GroupName, MOST_GROUPS, MOST_MEMBERS};
use picard_domain::{Error, GroupId, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

struct GroupRow {
    id: Uuid,
    name: String,
    owner_id: Uuid,
    members: Vec<Uuid>,
    created_at: time::OffsetDateTime,
}

impl From<GroupRow> for Group {
    fn from(row: GroupRow) -> Self {
        Self {
            id: GroupId(row.id),
            name: row.name,
            owner_id: UserId(row.owner_id),
            members: row.members.into_iter().map(UserId).collect(),
            created_at: row.created_at.into(),
        }
    }
}

/// What became of a wish for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAdded {
    /// They are in it now, or were already.
    Done,
    /// There is no such person.
    UnknownPerson,
    /// The group has as many members as it may have.
    Full,
}

impl Store {
    /// Stores a new group; `None` when the owner has as many as one may have.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such owner (any more); [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn create_group(
        &self,
        id: GroupId,
        owner: UserId,
        name: &GroupName,
        once: Option<&Once>,
    ) -> Result<Option<Group>, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let key = self.data_key(owner).await?.ok_or(Error::NotFound)?;
        if let Some(once) = once
            && let Some(before) = self.claim(&mut transaction, owner, &key, once).await?
        {
            return Ok(Some(before));
        }
        let row = sqlx::query_as!(
            GroupRow,
            r#"INSERT INTO groups AS new (id, user_id, name)
               SELECT $1, $2, $3 WHERE (SELECT count(*) FROM groups g WHERE g.user_id = $2) < $4
               RETURNING new.id, new.name, new.user_id AS owner_id, '{}'::uuid[] AS "members!", new.created_at"#,
            id.0,
            owner.0,
            name.as_str(),
            MOST_GROUPS as i64,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let group = row.map(Group::from);
        if let (Some(once), Some(group)) = (once, &group) {
            self.remember(&mut transaction, owner, &key, once, group).await?;
        }
        if group.is_some() {
            transaction.commit().await.map_err(storage_error)?;
        }
        Ok(group)
    }

    /// A group that this person owns or is in; to everybody else it is not there.
    ///
    /// # Errors
    /// As every statement.
    pub async fn group(&self, reader: UserId, id: GroupId) -> Result<Option<Group>, Error> {
        sqlx::query_as!(
            GroupRow,
            r#"SELECT g.id, g.name, g.user_id AS owner_id, g.created_at,
                      ARRAY(SELECT m.user_id FROM group_members m WHERE m.group_id = g.id ORDER BY m.created_at, m.user_id) AS "members!"
               FROM groups g
               WHERE g.id = $2
                 AND (g.user_id = $1 OR EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = $1))"#,
            reader.0,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(Group::from))
        .map_err(storage_error)
    }

    /// Which of these groups the person owns or is in.
    ///
    /// # Errors
    /// As every statement.
    pub async fn own_groups(&self, person: UserId, groups: &[GroupId]) -> Result<Vec<GroupId>, Error> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = groups.iter().map(|group| group.0).collect();
        sqlx::query_scalar!(
            "SELECT g.id FROM groups g
             WHERE g.id = ANY ($2)
               AND (g.user_id = $1 OR EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = $1))",
            person.0,
            &ids,
        )
        .fetch_all(&self.pool)
        .await
        .map(|ids| ids.into_iter().map(GroupId).collect())
        .map_err(storage_error)
    }

    /// A page of the groups that this person owns or is in, the newest first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn groups(&self, reader: UserId, after: Option<(Timestamp, Uuid)>, limit: u32) -> Result<Vec<Group>, Error> {
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        sqlx::query_as!(
            GroupRow,
            r#"SELECT g.id, g.name, g.user_id AS owner_id, g.created_at,
                      ARRAY(SELECT m.user_id FROM group_members m WHERE m.group_id = g.id ORDER BY m.created_at, m.user_id) AS "members!"
               FROM groups g
               WHERE (g.user_id = $1 OR EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id AND m.user_id = $1))
                 AND ($2::timestamptz IS NULL OR (g.created_at, g.id) < ($2, $3::uuid))
               ORDER BY g.created_at DESC, g.id DESC LIMIT $4"#,
            reader.0,
            moment,
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map(|rows| rows.into_iter().map(Group::from).collect())
        .map_err(storage_error)
    }

    /// Renames a group of this owner; `false` when it is not theirs.
    ///
    /// # Errors
    /// As every statement.
    pub async fn rename_group(&self, owner: UserId, id: GroupId, name: &GroupName) -> Result<bool, Error> {
        sqlx::query!("UPDATE groups SET name = $3 WHERE id = $2 AND user_id = $1", owner.0, id.0, name.as_str())
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(storage_error)
    }

    /// Deletes a group of this owner; `false` when it is not theirs.
    ///
    /// # Errors
    /// As every statement.
    pub async fn delete_group(&self, owner: UserId, id: GroupId) -> Result<bool, Error> {
        sqlx::query!("DELETE FROM groups WHERE id = $2 AND user_id = $1", owner.0, id.0)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(storage_error)
    }

    /// Puts somebody into a group. The group's row is locked, so that two at once do not make it too large.
    ///
    /// # Errors
    /// As every statement.
    pub async fn add_group_member(&self, id: GroupId, member: UserId) -> Result<MemberAdded, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        let state = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM group_members m WHERE m.group_id = g.id AND m.user_id <> $2) AS "others!",
                      EXISTS (SELECT 1 FROM users u WHERE u.id = $2) AS "is_known!"
               FROM groups g WHERE g.id = $1 FOR UPDATE OF g"#,
            id.0,
            member.0,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?;
        match state {
            Some(state) if !state.is_known => return Ok(MemberAdded::UnknownPerson),
            Some(state) if state.others >= MOST_MEMBERS as i64 => return Ok(MemberAdded::Full),
            Some(_) => {}
            None => return Err(Error::NotFound),
        }
        sqlx::query!("INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", id.0, member.0,)
            .execute(&mut *transaction)
            .await
            .map_err(storage_error)?;
        transaction.commit().await.map_err(storage_error)?;
        Ok(MemberAdded::Done)
    }

    /// Takes somebody out of a group; `false` when they were not in it.
    ///
    /// # Errors
    /// As every statement.
    pub async fn remove_group_member(&self, id: GroupId, member: UserId) -> Result<bool, Error> {
        sqlx::query!("DELETE FROM group_members WHERE group_id = $1 AND user_id = $2", id.0, member.0)
            .execute(&self.pool)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(storage_error)
    }
}
