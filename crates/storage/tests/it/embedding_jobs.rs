//! Embedding jobs: shared out without overlap, and never an embedding for a text that is gone.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use picard_domain::{MemoryId, Vector};
use picard_storage::memories::MemoryChange;
use sqlx::PgPool;

use crate::kit::{account, memory, number, store, text, version_of, writer};

const LEASE: Duration = Duration::from_secs(60);
const ORPHANS: &str =
    "SELECT count(*) FROM memory_embeddings e WHERE NOT EXISTS (SELECT 1 FROM memories m WHERE m.id = e.memory_id)";

fn vector(first: f32) -> Vector {
    Vector::new(vec![first, 1.0, 0.0]).expect("a vector")
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn workers_share_the_jobs_without_overlap(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    for number in 0..60 {
        memory(&store, ada, &format!("note {number}")).await;
    }

    let mut taken: Vec<MemoryId> = Vec::new();
    for _ in 0..5 {
        let claims = join_all((0..4).map(|_| store.claim_embedding_jobs("model", 5, LEASE))).await;
        taken.extend(claims.into_iter().flat_map(|claim| claim.expect("jobs")).map(|job| job.of.memory_id));
    }

    let distinct: HashSet<MemoryId> = taken.iter().copied().collect();
    assert_eq!((taken.len(), distinct.len()), (60, 60), "each job once, and all of them");
    assert!(store.claim_embedding_jobs("model", 100, LEASE).await.expect("an answer").is_empty(), "they are taken");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_lease_that_ran_out_passes_the_job_on(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "tea at four").await;

    let first = store.claim_embedding_jobs("model", 10, Duration::ZERO).await.expect("jobs");
    let second = store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs");

    assert_eq!((first[0].of.memory_id, first[0].attempts, first[0].of.version), (id, 1, 1));
    assert_eq!((second[0].of.memory_id, second[0].attempts), (id, 2), "FLT-13");
    assert_eq!(second[0].text, "tea at four");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_text_that_two_jobs_ask_for_is_taken_once(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    memory(&store, ada, "tea at four").await;
    memory(&store, ada, "cake at five").await;
    // As a start does while the jobs of new texts wait.
    assert_eq!(store.ask_for_missing_embeddings("model").await.expect("a number"), 2);

    let taken = store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs");

    assert_eq!(taken.len(), 2, "two texts, four jobs");
    let vectors = [vector(1.0)];
    let embedded: Vec<_> = taken.iter().map(|text| (text, vectors.as_slice())).collect();
    assert_eq!(store.finish_embeddings("model", &embedded, true).await.expect("an answer").len(), 2, "FLT-13");
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_embedding_of_a_replaced_text_is_refused(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "first").await;
    let change = MemoryChange { text: Some((text("second"), Vec::new())), ..MemoryChange::default() };
    let version = store.update_memory(writer(ada), id, &change).await.expect("a memory").0.version;

    assert!(!store.finish_embedding(version_of(ada, id, 1), "model", &[vector(1.0)], true).await.expect("an answer"), "FLT-20");
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_embeddings").await, 0);
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 1, "the job of the new text stays");

    for _ in 0..2 {
        assert!(
            store
                .finish_embedding(version_of(ada, id, version), "model", &[vector(1.0), vector(2.0)], true)
                .await
                .expect("an answer"),
            "twice does no harm"
        );
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_embeddings").await, 2);
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_change_that_races_with_an_embedding_never_mixes_versions(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    for round in 0..40 {
        let id = memory(&store, ada, "first").await;
        let change = MemoryChange { text: Some((text("second"), Vec::new())), ..MemoryChange::default() };
        let vectors = [vector(1.0)];

        let (changed, finished) = futures_util::join!(
            store.update_memory(writer(ada), id, &change),
            store.finish_embedding(version_of(ada, id, 1), "model", &vectors, true)
        );
        changed.expect("a version");
        finished.expect("an answer");

        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM memory_embeddings WHERE memory_id = $1")
            .bind(id.0)
            .fetch_one(&pool)
            .await
            .expect("a number");
        assert_eq!(left, 0, "FLT-20 round {round}: no vector of the old text beside the new one");
    }
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 40, "each new text waits for its own");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_deletion_that_races_with_an_embedding_leaves_no_orphan(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    for round in 0..100 {
        let id = memory(&store, ada, "to be forgotten").await;
        let vectors = [vector(1.0)];

        let (deleted, finished) = futures_util::join!(
            store.delete_memory(ada, id, None),
            store.finish_embedding(version_of(ada, id, 1), "model", &vectors, true)
        );

        deleted.unwrap_or_else(|error| panic!("FLT-22 round {round}: {error}"));
        finished.expect("an answer");
    }
    for statement in ["SELECT count(*) FROM memories", "SELECT count(*) FROM embedding_jobs", ORPHANS] {
        assert_eq!(number(&pool, statement).await, 0, "FLT-22 {statement}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn texts_are_finished_together_but_for_those_that_somebody_holds(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let (free, held, outdated) =
        (memory(&store, ada, "free").await, memory(&store, ada, "held").await, memory(&store, ada, "outdated").await);
    let mut jobs = store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs");
    jobs.iter_mut().filter(|job| job.of.memory_id == outdated).for_each(|job| job.of.version = 7);
    let windows = [vector(1.0), vector(2.0)];
    let texts: Vec<_> = jobs.iter().map(|job| (job, windows.as_slice())).collect();
    let mut other = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT 1 FROM memories WHERE id = $1 FOR UPDATE").bind(held.0).execute(&mut *other).await.expect("a lock");

    let done = store.finish_embeddings("model", &texts, true).await.expect("an answer");

    assert_eq!(done, HashSet::from([free]), "and nobody waited");
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_embeddings").await, 2);
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 2);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn words_and_jobs_go_with_their_memory_and_their_person(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "one").await;
    memory(&store, ada, "two").await;
    for (statement, left) in [("DELETE FROM memories WHERE id = $1", 1), ("DELETE FROM users WHERE id <> $1", 0)] {
        sqlx::query(statement).bind(id.0).execute(&pool).await.expect("it is gone");
        for count in ["SELECT count(*) FROM memory_words", "SELECT count(*) FROM embedding_jobs"] {
            assert_eq!(number(&pool, count).await, left, "{count} after {statement}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_text_that_cannot_be_embedded_is_given_up_and_a_new_one_tried(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "first").await;

    store.fail_embedding("model", version_of(ada, id, 7), "of another version").await.expect("an answer");
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 1, "only the text that failed is given up");
    store.fail_embedding("model", version_of(ada, id, 1), "too strange").await.expect("an answer");
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 0);
    assert!(store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs").is_empty());

    let change = MemoryChange { text: Some((text("second"), Vec::new())), ..MemoryChange::default() };
    store.update_memory(writer(ada), id, &change).await.expect("a version");

    let jobs = store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs");
    assert_eq!((jobs[0].text.as_str(), jobs[0].attempts), ("second", 1));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_text_that_cannot_be_decrypted_does_not_hold_up_the_others(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let broken = memory(&store, ada, "broken").await;
    let whole = memory(&store, ada, "whole").await;
    sqlx::query("UPDATE memories SET ciphertext = 'gAAAAA' WHERE id = $1")
        .bind(broken.0)
        .execute(&pool)
        .await
        .expect("an update");

    let jobs = store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs");

    assert_eq!(jobs.iter().map(|job| job.of.memory_id).collect::<Vec<_>>(), [whole], "ENC-04");
    assert_eq!(number(&pool, "SELECT count(*) FROM embedding_jobs WHERE failed_at IS NOT NULL").await, 1, "ENC-04");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_postponed_job_waits(pool: PgPool) {
    let store = store(&pool);
    let ada = account(&store, "ada").await;
    let id = memory(&store, ada, "tea at four").await;

    store.postpone_embeddings("model", &[version_of(ada, id, 1)], LEASE, "busy").await.expect("an answer");
    assert!(store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs").is_empty());
    assert_eq!(store.embedding_backlog("model").await.expect("a number"), 1);

    store.postpone_embeddings("model", &[version_of(ada, id, 1)], Duration::ZERO, "again").await.expect("an answer");
    assert_eq!(store.claim_embedding_jobs("model", 10, LEASE).await.expect("jobs").len(), 1);
}
