//! The prompts, and completions of their arguments.

use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, ErrorData, GetPromptResult, InputResponses, JsonObject,
    Prompt, PromptArgument, PromptMessage, Reference, Role,
};
use serde_json::json;

use crate::changes::Counts;
use crate::content::{self, text};
use crate::dialogue::Dialogue;
use crate::questions::form;

/// The prompt that asks for something before it can be written.
pub(crate) const ASKING: &str = "test_input_required_result_prompt";

const WITH_ARGUMENTS: &str = "test_prompt_with_arguments";

/// The prompts. One of them is there after every other change.
pub(crate) fn listed(counts: Counts) -> Vec<Prompt> {
    let argument = |name: &str, description: &str| PromptArgument::new(name).with_description(description).with_required(true);
    let mut prompts = vec![
        Prompt::new("test_simple_prompt", Some("A prompt without arguments."), None),
        Prompt::new(
            WITH_ARGUMENTS,
            Some("A prompt that repeats its arguments."),
            Some(vec![argument("arg1", "First test argument"), argument("arg2", "Second test argument")]),
        ),
        Prompt::new(
            "test_prompt_with_embedded_resource",
            Some("A prompt with a resource in it."),
            Some(vec![argument("resourceUri", "URI of the resource to embed")]),
        ),
        Prompt::new("test_prompt_with_image", Some("A prompt with an image in it."), None),
        Prompt::new(ASKING, Some("A prompt that asks for its context."), None),
    ];
    if counts.prompts % 2 == 1 {
        prompts.push(Prompt::new("test_changing_prompt", Some("Comes and goes."), None));
    }
    prompts
}

/// A prompt that needs nothing but its arguments.
pub(crate) fn get(name: &str, arguments: &JsonObject) -> Result<GetPromptResult, ErrorData> {
    Ok(GetPromptResult::new(match name {
        "test_simple_prompt" => vec![user("This is a simple prompt for testing.")],
        "test_changing_prompt" => vec![user("This prompt comes and goes.")],
        WITH_ARGUMENTS => {
            let (first, second) = (text(arguments, "arg1")?, text(arguments, "arg2")?);
            vec![user(format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let resource = content::embedded("Embedded resource content for testing.", text(arguments, "resourceUri")?);
            vec![PromptMessage::new(Role::User, resource), user("Please process the embedded resource above.")]
        }
        "test_prompt_with_image" => {
            vec![PromptMessage::new(Role::User, content::image()), user("Please analyze the image above.")]
        }
        _ => return Err(ErrorData::invalid_params("There is no prompt of this name; prompts/list names them.", None)),
    }))
}

/// What [`ASKING`] asks.
pub(crate) fn dialogue() -> Dialogue<'static> {
    let question = form("What context should the prompt use?", &json!({ "context": { "type": "string" } }), &["context"]);
    Dialogue { name: ASKING, rounds: vec![vec![("user_context", question)]], states: None }
}

/// [`ASKING`] with the answers to its questions.
pub(crate) fn concluded(answers: &InputResponses) -> GetPromptResult {
    let context = answers.get("user_context").and_then(|answer| answer["content"]["context"].as_str());
    GetPromptResult::new(vec![user(format!("Use this context: {}", context.unwrap_or("none")))])
}

/// What could be meant by the beginning of an argument.
pub(crate) fn completed(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let argument = request.argument.name.as_str();
    let all: &[&str] = match &request.r#ref {
        Reference::Prompt(prompt) if prompt.name == WITH_ARGUMENTS && ["arg1", "arg2"].contains(&argument) => {
            &["paris", "park", "party", "test", "testing"]
        }
        Reference::Resource(resource) if resource.uri == "test://template/{id}/data" && argument == "id" => &["123", "124"],
        _ => return Err(ErrorData::invalid_params("There is no such argument to complete.", None)),
    };
    let fitting = all.iter().filter(|value| value.starts_with(&request.argument.value));
    let values = fitting.map(|value| (*value).to_owned()).collect();
    let completion = CompletionInfo::with_all_values(values).map_err(|error| ErrorData::internal_error(error, None))?;
    Ok(CompleteResult::new(completion))
}

fn user(text: impl Into<String>) -> PromptMessage {
    PromptMessage::new(Role::User, ContentBlock::text(text))
}
