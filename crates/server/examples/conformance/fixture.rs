//! The protocol's requests, answered with what the suite expects.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use picard_crypto::{FernetKey, KeyRing, SealingKey};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ResourceUpdatedNotificationParam, ServerCapabilities, ServerConfig, SetLevelRequestMethod,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;

use crate::changes::{Change, Changes, Counts};
use crate::dialogue::{Brought, Outcome};
use crate::log::Threshold;
use crate::{content, log, prompts, resources, talks, tools};

/// Between the steps of what takes a while.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// The revisions that the product speaks.
const VERSIONS: &[ProtocolVersion] =
    &[ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// What all requests and sessions share.
pub(crate) struct Shared {
    changes: Changes,
    states: SealingKey,
    /// Streams that would stay open for ever end with it.
    ending: CancellationToken,
}

impl Shared {
    /// Nothing has changed yet. Request states live as long as the process.
    pub(crate) fn new(ending: CancellationToken) -> Arc<Self> {
        let ring = KeyRing::new(vec![FernetKey::generate()]).expect("one key is enough");
        let states = SealingKey::derive(&ring, "conformance request state");
        Arc::new(Self { changes: Changes::new(), states, ending })
    }
}

/// What answers one request of revision 2026-07-28, or all requests of an older client's session.
pub(crate) struct Fixture {
    shared: Arc<Shared>,
    /// What had changed when it began, so that no change between a subscription and its stream goes unheard.
    began: Counts,
    threshold: Threshold,
    subscribed: Mutex<BTreeSet<String>>,
}

impl Fixture {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let began = shared.changes.now();
        Self { shared, began, threshold: Threshold::default(), subscribed: Mutex::default() }
    }

    fn subscribed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change. Subscriptions hear of it by themselves; of older clients only the one that asked for it does.
    async fn change(&self, change: Change, context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.shared.changes.make(change);
        if is_modern(context) {
            return Ok(());
        }
        let is_watched = self.subscribed().contains(resources::WATCHED);
        let told = match change {
            Change::Tools => context.peer.notify_tool_list_changed().await,
            Change::Prompts => context.peer.notify_prompt_list_changed().await,
            Change::Watched if is_watched => {
                context.peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(resources::WATCHED)).await
            }
            Change::Watched => Ok(()),
        };
        told.map_err(|error| failed(&error))
    }

    /// Does what is no plain answer and asks nothing; none for tools that do ask.
    async fn act(&self, tool: &str, context: &RequestContext<RoleServer>) -> Result<Option<CallToolResponse>, ErrorData> {
        match tool {
            "test_tool_with_progress" => content::report_progress(context).await?,
            "test_tool_with_logging" | "test_logging_tool" => log::tell_steps(&self.threshold, context).await?,
            "test_trigger_tool_change" => self.change(Change::Tools, context).await?,
            "test_trigger_prompt_change" => self.change(Change::Prompts, context).await?,
            "test_trigger_resource_change" => self.change(Change::Watched, context).await?,
            // The session's stream cannot be closed from here, so the answer comes late, but on the same stream.
            "test_reconnection" => tokio::time::sleep(2 * PAUSE).await,
            _ => return Ok(None),
        }
        Ok(Some(content::said(format!("{tool} is done.")).into()))
    }

    /// Does what asks the client something before it answers.
    async fn talk(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let capabilities = context.client_capabilities().unwrap_or_default();
        let Some(dialogue) = talks::dialogue(&request.name, &arguments, &capabilities, &self.shared.states)? else {
            return Err(ErrorData::invalid_params("There is no tool of this name; tools/list names them.", None));
        };
        let responses = request.input_responses.unwrap_or_default();
        let brought = Brought { context, responses: &responses, state: request.request_state.as_deref() };
        Ok(match dialogue.hold(&brought).await? {
            Outcome::Answered(answers) => content::said(talks::conclusion(&request.name, &answers)).into(),
            Outcome::Asked(questions) => (*questions).into(),
        })
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(capabilities())
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
            .with_server_info(Implementation::new("picard-conformance", env!("CARGO_PKG_VERSION")))
            .with_instructions("The fixtures of the conformance suite behind Picard's door.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let list = ListToolsResult::with_all_items(tools::listed(self.shared.changes.now()));
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    /// rmcp checks the headers that a tool's schema names by it.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::listed(self.shared.changes.now()).into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(result) = content::plain(&request.name) {
            return Ok(result.into());
        }
        match self.act(&request.name, &context).await? {
            Some(response) => Ok(response),
            None => self.talk(request, &context).await,
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let list = ListPromptsResult::with_all_items(prompts::listed(self.shared.changes.now()));
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name != prompts::ASKING {
            return prompts::get(&request.name, &request.arguments.unwrap_or_default()).map(Into::into);
        }
        let responses = request.input_responses.unwrap_or_default();
        let brought = Brought { context: &context, responses: &responses, state: request.request_state.as_deref() };
        Ok(match prompts::dialogue().hold(&brought).await? {
            Outcome::Answered(answers) => prompts::concluded(&answers).into(),
            Outcome::Asked(questions) => (*questions).into(),
        })
    }

    async fn complete(&self, request: CompleteRequestParams, _: RequestContext<RoleServer>) -> Result<CompleteResult, ErrorData> {
        prompts::completed(&request)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let list = ListResourcesResult::with_all_items(resources::listed());
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let list = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let result = resources::read(&request.uri, self.shared.changes.now())?;
        Ok(result.with_ttl_ms(0).with_cache_scope(CacheScope::Private).into())
    }

    /// rmcp leaves out what was not asked for and what the server does not announce.
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.shared.changes.tell(&context, self.began, &self.shared.ending).await;
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        resources::read(&request.uri, self.shared.changes.now())?;
        self.subscribed().insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.subscribed().remove(&request.uri);
        Ok(())
    }

    /// Revision 2026-07-28 has no such method: there, every request says for itself what it wants to hear.
    #[expect(deprecated, reason = "older revisions have it, and the suite asks for it")]
    async fn set_level(
        &self,
        request: rmcp::model::SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_modern(&context) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.threshold.set(request.level);
        Ok(())
    }
}

#[expect(deprecated, reason = "older revisions have logging, and the suite asks for it")]
fn capabilities() -> ServerCapabilities {
    ServerCapabilities::builder()
        .enable_logging()
        .enable_completions()
        .enable_prompts()
        .enable_resources()
        .enable_tools()
        .enable_prompts_list_changed()
        .enable_resources_subscribe()
        .enable_tool_list_changed()
        .build()
}

/// Whether the client speaks a revision without sessions, where servers ask in their answers.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

/// What went wrong between the server and the client.
pub(crate) fn failed(error: &dyn Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
