//! Traces for OpenTelemetry, sent by OTLP over HTTP. They say what log lines say: ids, routes and times, no text of
//! anybody's.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// How long one sending may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What collects spans and sends them now and then, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to collect; `None` without a destination. A destination that is away costs spans, nothing else.
    pub(crate) fn begin(endpoint: Option<&str>) -> Result<Option<Self>, String> {
        let Some(endpoint) = endpoint.map(|endpoint| endpoint.trim().trim_end_matches('/')).filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT: traces cannot be sent there: {error}"))?;
        let resource = Resource::builder().with_service_name("picard-server").build();
        Ok(Some(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())))
    }

    /// What spans are made with.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.0.tracer("picard-server")
    }

    /// Sends what is left.
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("The last traces could not be sent.");
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Makes a request's span a part of the trace that its client names (W3C Trace Context). To be called before it is entered.
pub(crate) fn join(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        // Where traces go nowhere, there is nothing to join.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&Headers(headers)));
    }
}

/// Notes what was asked and how it ended. Not as fields of the span, which would stand in every log line.
pub(crate) fn note(span: &Span, method: &str, route: &str, status: u16) {
    span.set_attribute("http.request.method", method.to_owned());
    span.set_attribute("http.route", route.to_owned());
    span.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.set_status(opentelemetry::trace::Status::error(""));
    }
}
