//! Asking the person, through their client, before something becomes public (elicitation).

use std::collections::BTreeMap;
use std::time::Duration;

use picard_app::{App, Confirmation};
use picard_domain::Caller;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, ErrorData, InputRequest, InputRequiredResult, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext};
use serde_json::{Value, json};

use crate::error;

/// The question's name among the requests of an answer, and its one member.
const CONFIRM: &str = "confirm";
/// How long an older client may take.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// What becomes of a call.
pub(crate) enum Decision {
    /// It runs; with a key, when it was confirmed.
    Run(Option<String>),
    /// The person has to be asked first.
    Ask(Box<InputRequiredResult>),
    /// They said no.
    Declined,
}

/// Decides whether a call runs. Where the client cannot ask, the call is the confirmation.
pub(crate) async fn decide(
    app: &App,
    caller: &Caller,
    request: &CallToolRequestParams,
    data: &Value,
    (context, has_session): (&RequestContext<RoleServer>, bool),
) -> Result<Decision, ErrorData> {
    let failed = |failed| error::of_list(&failed);
    let tool = &*request.name;
    if let Some(state) = &request.request_state {
        let key = app.confirmed(caller, tool, data, state).map_err(failed)?;
        let answer = request.input_responses.as_ref().and_then(|answers| answers.get(CONFIRM));
        let answer = answer.map(|answer| serde_json::from_value::<ElicitResult>(answer.clone())).transpose();
        match answer.map_err(|_| ErrorData::invalid_params("The answer to the question does not have its form.", None))? {
            // A call with a key of its own counts once by that.
            Some(answer) if is_yes(&answer) => return Ok(Decision::Run(data.get("idempotency_key").is_none().then_some(key))),
            Some(_) => return Ok(Decision::Declined),
            None => {}
        }
    }
    let is_modern = context.protocol_version().is_some_and(|version| !version.has_initialize());
    if !can_ask(context) || !(is_modern || has_session) {
        return Ok(Decision::Run(None));
    }
    let Some(question) = app.question_before(caller, tool, data).await.map_err(failed)? else {
        return Ok(Decision::Run(None));
    };
    let elicitation = elicitation(&question)?;
    if is_modern {
        let requests = BTreeMap::from([(CONFIRM.to_owned(), InputRequest::Elicitation(elicitation))]);
        return Ok(Decision::Ask(InputRequiredResult::new(Some(requests), Some(question.state)).into()));
    }
    ask(context, elicitation).await
}

fn can_ask(context: &RequestContext<RoleServer>) -> bool {
    let elicitation = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    // Nothing said means forms.
    elicitation.is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
}

fn elicitation(question: &Confirmation) -> Result<ElicitRequest, ErrorData> {
    let schema = ElicitationSchema::builder()
        .required_bool_with(CONFIRM, |field| field.title("Make it public").description("Whether everybody may read it."))
        .build();
    Ok(ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.message.clone(),
        requested_schema: schema.map_err(|_| error::internal())?,
    }))
}

/// Asks within the session; the call waits.
async fn ask(context: &RequestContext<RoleServer>, elicitation: ElicitRequest) -> Result<Decision, ErrorData> {
    let options = PeerRequestOptions::with_timeout(PATIENCE);
    let asked = context.peer.send_request_with_option(ServerRequest::ElicitRequest(elicitation), options).await;
    let answer = match asked {
        Ok(asked) => tokio::select! {
            () = context.ct.cancelled() => return Ok(Decision::Declined),
            answer = asked.await_response() => answer,
        },
        Err(error) => Err(error),
    };
    match answer {
        Ok(ClientResult::ElicitResult(answer)) if is_yes(&answer) => Ok(Decision::Run(None)),
        Ok(_) => Ok(Decision::Declined),
        Err(error) => {
            tracing::debug!(cause = %error, "A question got no answer.");
            Ok(Decision::Declined)
        }
    }
}

fn is_yes(answer: &ElicitResult) -> bool {
    let confirmed = answer.content.as_ref().is_some_and(|content| content[CONFIRM] == true);
    answer.action == ElicitationAction::Accept && confirmed
}

/// What a call answers that the person did not want.
pub(crate) fn declined() -> CallToolResult {
    let detail =
        "The person was asked and did not agree, so nothing was changed. Leave the memory as it is, or ask them what they want.";
    CallToolResult::structured_error(json!({ "code": "declined", "detail": detail }))
}
