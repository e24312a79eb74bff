//! What the demo people remember, stored as any client stores it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::problem::Problem;
use crate::rest::Person;

/// Stores the memories that the person does not have yet; answers how many these were.
pub(super) async fn add_missing(person: &Person, lines: &str) -> Result<usize, Problem> {
    let known = texts(person).await?;
    let mut added = 0;
    for line in lines.lines() {
        let memory: Value = serde_json::from_str(line).map_err(|error| Problem::from_error("read a demo memory", &error))?;
        if !known.contains(memory["text"].as_str().unwrap_or_default()) {
            person.call("submit_memory", memory).await?;
            added += 1;
        }
    }
    Ok(added)
}

/// The texts of all the person's memories.
async fn texts(person: &Person) -> Result<BTreeSet<String>, Problem> {
    let mut texts = BTreeSet::new();
    let mut arguments = json!({ "limit": 200 });
    loop {
        let answer = person.call("retrieve_memories", arguments).await?;
        let memories = answer["memories"].as_array().cloned().unwrap_or_default();
        texts.extend(memories.iter().filter_map(|memory| memory["text"].as_str().map(str::to_owned)));
        match answer["next_cursor"].as_str() {
            Some(cursor) => arguments = json!({ "limit": 200, "cursor": cursor }),
            None => return Ok(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_demo_person_has_private_and_public_memories() {
        for (_, lines) in super::super::PEOPLE {
            let memories: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            let count = |permission: &str| memories.iter().filter(|memory| memory["permission"] == permission).count();

            assert_eq!((count("private"), count("public")), (12, 12));
        }
    }
}
