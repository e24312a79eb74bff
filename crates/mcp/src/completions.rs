//! Completions of the arguments of prompts and of the variables of resource templates.

use picard_app::{Completing, Proposals};
use picard_domain::{Error, Permission, UserId};
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};

use crate::{error, prompts, resources};

/// What the caller is typing, or the proposals themselves where they are the same for everybody.
pub(crate) enum Asked {
    /// `App` knows.
    App(Completing),
    /// The caller's tags, behind those that stand there already.
    Tags { owner: Option<UserId>, before: String, last: String },
    /// Words of the protocol.
    Words(Vec<String>),
}

/// Reads what is asked for.
///
/// # Errors
/// The protocol's error for a prompt, a template or an argument that there is not.
pub(crate) fn asked(request: &CompleteRequestParams) -> Result<Asked, ErrorData> {
    let (name, typed) = (request.argument.name.as_str(), request.argument.value.clone());
    let owner = || request.context.as_ref()?.get_argument("user_id")?.parse().ok();
    let asked = match &request.r#ref {
        Reference::Resource(template) => match (template.uri.as_str(), name) {
            (resources::MEMORY, "memory_id") => Asked::App(Completing::Memory(typed)),
            (resources::MEMORIES, "user_id") => Asked::App(Completing::Person(typed)),
            (resources::MEMORIES, "permission") => Asked::Words(permissions(&typed)),
            (resources::MEMORIES, "limit" | "cursor") => Asked::Words(Vec::new()),
            (resources::MEMORIES, "tags") => {
                let (before, last) = typed.rfind(',').map_or(("", typed.as_str()), |comma| typed.split_at(comma + 1));
                Asked::Tags { owner: owner(), before: before.to_owned(), last: last.to_owned() }
            }
            _ => return Err(unknown()),
        },
        Reference::Prompt(prompt) => match (prompt.name.as_str(), name) {
            (prompts::RECALL, "topic") => Asked::App(Completing::Tag { owner: None, prefix: typed }),
            (prompts::ASK_PERSONA, "person") => Asked::App(Completing::Person(typed)),
            (prompts::ASK_PERSONA, "persona") => Asked::App(Completing::Persona(typed)),
            (prompts::ASK_PERSONA, "question") | (prompts::REMEMBER, "what") => Asked::Words(Vec::new()),
            _ => return Err(unknown()),
        },
        _ => return Err(unknown()),
    };
    Ok(asked)
}

fn unknown() -> ErrorData {
    error::of_list(&Error::invalid("ref", "and argument must name a prompt or template that is listed, and one of its arguments"))
}

fn permissions(typed: &str) -> Vec<String> {
    let all = [Permission::Private, Permission::Public, Permission::Shared, Permission::Aggregate];
    all.iter().map(|permission| permission.as_str()).filter(|word| word.starts_with(typed)).map(str::to_owned).collect()
}

/// The protocol's form of proposals.
pub(crate) fn proposed(proposals: Proposals) -> Result<CompleteResult, ErrorData> {
    let total = (!proposals.has_more).then(|| u32::try_from(proposals.values.len()).unwrap_or(u32::MAX));
    let info = CompletionInfo::with_pagination(proposals.values, total, proposals.has_more);
    info.map(CompleteResult::new).map_err(|_| error::internal())
}

#[cfg(test)]
mod tests {
    use rmcp::model::{ArgumentInfo, CompletionContext};
    use serde_json::json;

    use super::*;

    fn request(reference: Reference, name: &str, value: &str) -> CompleteRequestParams {
        let argument: ArgumentInfo = serde_json::from_value(json!({ "name": name, "value": value })).expect("an argument");
        CompleteRequestParams::new(reference, argument)
    }

    #[test]
    fn the_last_tag_of_a_list_is_completed() {
        let person = UserId::generate();
        let mut asked_for = request(Reference::for_resource(resources::MEMORIES), "tags", "a,b,c");
        asked_for.context = Some(CompletionContext::with_arguments([("user_id".to_owned(), person.to_string())].into()));

        let Ok(Asked::Tags { owner, before, last }) = asked(&asked_for) else { panic!("tags") };

        assert_eq!((owner, before.as_str(), last.as_str()), (Some(person), "a,b,", "c"));
    }

    #[test]
    fn what_there_is_not_is_refused_and_what_cannot_be_completed_is_empty() {
        for (reference, name) in [
            (Reference::for_resource("memories://x"), "memory_id"),
            (Reference::for_resource(resources::MEMORY), "user_id"),
            (Reference::for_prompt("forget"), "topic"),
            (Reference::for_prompt(prompts::RECALL), "question"),
        ] {
            assert!(asked(&request(reference, name, "")).is_err(), "{name}");
        }
        assert!(
            matches!(asked(&request(Reference::for_prompt(prompts::REMEMBER), "what", "x")), Ok(Asked::Words(words)) if words.is_empty())
        );
        let permission = asked(&request(Reference::for_resource(resources::MEMORIES), "permission", "p"));
        assert!(matches!(permission, Ok(Asked::Words(words)) if words == ["private", "public"]));
    }
}
