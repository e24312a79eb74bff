//! A store on the test's database, and the few rows that most tests need.

use std::sync::Arc;

use picard_crypto::{FernetKey, KeyRing, hash_token};
use picard_domain::memory::{SharedWith, Tags};
use picard_domain::{
    ClientId, ClientOrigin, Clock, GrantId, MemoryId, MemoryText, Permission, Scope, Timestamp, UserId, Username,
};
use picard_storage::Store;
use picard_storage::accounts::NewAccount;
use picard_storage::clients::Client;
use picard_storage::embedding_jobs::TextVersion;
use picard_storage::grants::NewGrant;
use picard_storage::memories::{NewMemory, Writer};
use sqlx::PgPool;

pub(crate) fn store(pool: &PgPool) -> Store {
    let keys = KeyRing::new(vec![FernetKey::generate()]).expect("a key ring");
    Store::new(pool.clone(), Arc::new(keys), Clock::system())
}

pub(crate) async fn account(store: &Store, name: &str) -> UserId {
    let account = NewAccount {
        id: UserId::generate(),
        username: Username::try_from(name.to_owned()).expect("a name"),
        email: None,
        password_hash: None,
        is_superuser: false,
        client_id: None,
    };
    assert!(store.create_account(&account).await.expect("an answer"));
    account.id
}

/// A grant whose first refresh token is the hash of this text.
pub(crate) async fn grant(store: &Store, token: &str) -> GrantId {
    let client = Client {
        id: ClientId::generate(),
        name: "App".to_owned(),
        redirect_uris: Vec::new(),
        scopes: Scope::ALL.into_iter().collect(),
        secret_hash: None,
        origin: ClientOrigin::Administrator,
        auth_method: None,
        metadata_url: None,
        default_scopes: None,
    };
    store.create_client(&client).await.expect("a client");
    let grant = NewGrant {
        id: GrantId::generate(),
        user_id: account(store, &format!("owner-{token}")).await,
        client_id: client.id,
        scopes: client.scopes,
        audience: "http://127.0.0.1".to_owned(),
        expires_at: tomorrow(),
        refresh_token_hash: hash_token(token),
        refresh_token_expires_at: tomorrow(),
    };
    store.create_grant(&grant).await.expect("a grant");
    grant.id
}

pub(crate) fn tomorrow() -> Timestamp {
    Clock::system().after(std::time::Duration::from_secs(86_400))
}

pub(crate) fn text(text: &str) -> MemoryText {
    MemoryText::try_from(text.to_owned()).expect("a text")
}

/// A memory with its embedding job, which anybody may take at once.
pub(crate) async fn memory(store: &Store, owner: UserId, words: &str) -> MemoryId {
    memory_at(store, owner, words, Clock::system().now()).await
}

/// The same, written at this time.
pub(crate) async fn memory_at(store: &Store, owner: UserId, words: &str, created_at: Timestamp) -> MemoryId {
    let new = NewMemory { created_at, updated_at: created_at, ..new_memory(words) };
    let id = new.id;
    store.create_memories(writer(owner), &[new], drop).await.expect("a memory");
    id
}

/// A private memory without an embedding, not stored yet.
pub(crate) fn new_memory(words: &str) -> NewMemory {
    let now = Clock::system().now();
    NewMemory {
        id: MemoryId::generate(),
        text: text(words),
        permission: Permission::Private,
        shared_with: SharedWith::default(),
        tags: Tags::default(),
        category: None,
        expiration_date: None,
        created_at: now,
        updated_at: now,
        windows: Vec::new(),
    }
}

/// The text of this person's memory at a version.
pub(crate) fn version_of(owner: UserId, memory_id: MemoryId, version: i64) -> TextVersion {
    TextVersion { owner, memory_id, version }
}

/// This person, writing with a model named `model`.
pub(crate) fn writer(owner: UserId) -> Writer<'static> {
    Writer { owner, client: None, model: "model", once: None }
}

pub(crate) async fn number(pool: &PgPool, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.expect("a number")
}
