//! Calls that belong to a trace of their client's: it says so in the request's own metadata (SEP-414), because one
//! connection carries requests of many traces.

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use rmcp::model::RequestMetaObject;
use serde_json::Value;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// What of the metadata says which trace it is (W3C Trace Context).
const FIELDS: [&str; 2] = ["traceparent", "tracestate"];

struct Metadata<'a>(&'a RequestMetaObject);

impl Extractor for Metadata<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        FIELDS.contains(&key).then(|| self.0.get(key).and_then(Value::as_str)).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        FIELDS.to_vec()
    }
}

/// The span of a call within the trace that its client names; without one, the span of the HTTP request that it came with.
pub(crate) fn joined(of_request: Span, meta: &RequestMetaObject, request_id: &str) -> Span {
    if !meta.contains_key(FIELDS[0]) {
        return of_request;
    }
    let span = tracing::info_span!(parent: &of_request, "call", request.id = request_id);
    // Where traces go nowhere, there is nothing to join.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&Metadata(meta)));
    span
}
