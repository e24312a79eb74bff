//! What a failed try means, and whether to try again.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::wire;
use crate::EmbedError;

/// A wait the caller need not hear of.
const SHORT: Duration = Duration::from_secs(2);

/// The first pause; the second is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// No provider's wait is believed beyond this.
const MAX_RETRY_AFTER: u64 = 3600;

/// A try that failed.
pub(super) struct Failure {
    pub(super) error: EmbedError,
    may_retry: bool,
}

impl Failure {
    /// Trying again at once would lead to the same.
    pub(super) fn finally(error: EmbedError) -> Self {
        Self { error, may_retry: false }
    }

    /// No answer at all.
    pub(super) fn sending(error: &reqwest::Error) -> Self {
        let what = if error.is_connect() { "cannot connect" } else { "the connection broke" };
        Self { error: EmbedError::unavailable(format!("{what}: {}", root_cause(error))), may_retry: error.is_connect() }
    }

    /// An answer other than success.
    pub(super) async fn status(response: Response) -> Self {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let reason = match wire::error_code(response).await {
            Some(code) => format!("HTTP {} ({code})", status.as_u16()),
            None => format!("HTTP {}", status.as_u16()),
        };
        Self {
            error: if blames_texts(status) {
                EmbedError::Rejected(reason)
            } else {
                EmbedError::Unavailable { retry_after, reason }
            },
            may_retry: status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
        }
    }

    /// How long to wait before the next try, if there should be one.
    pub(super) fn pause(&self, tries: u32) -> Option<Duration> {
        let EmbedError::Unavailable { retry_after, .. } = &self.error else {
            return None;
        };
        let asked = retry_after.unwrap_or_default();
        (self.may_retry && asked <= SHORT).then(|| asked.max(back_off(tries)))
    }
}

/// These say that the request is at fault. A refused key (401, 403) or a wrong address (404, a redirect) is the
/// operator's to mend, and the texts are as good as before once that is done.
fn blames_texts(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Doubles each time, and differs between callers by half, so that they do not all come back at once.
fn back_off(tries: u32) -> Duration {
    // The standard library's only source of randomness; nothing secret hangs on it.
    let random = RandomState::new().hash_one(tries) as f64 / u64::MAX as f64;
    let full = FIRST_PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1));
    full.mul_f64(0.5 + random / 2.0)
}

/// Seconds, or a date; the date is measured by the provider's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let now = headers.get(DATE)?.to_str().ok()?;
            let wait = date(text)? - date(now)?;
            u64::try_from(wait.whole_seconds()).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}

fn date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc2822).ok()
}

/// "Connection refused" rather than "error sending request", and without the address, which may hold a password.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if cause.is::<reqwest::Error>() {
        return "no reason given".to_owned();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(retry_after: &'static str, date: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        headers
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let seconds = |text, date| retry_after(&headers(text, date)).map(|wait| wait.as_secs());
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");

        assert_eq!(seconds("60", None), Some(60));
        assert_eq!(seconds(" 0 ", None), Some(0));
        assert_eq!(seconds("18446744073709551615", None), Some(3600));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:40:37 GMT", now), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT", None), None);
        assert_eq!(seconds("soon", now), None);
    }

    #[test]
    fn pauses_grow_and_stay_within_bounds() {
        for _ in 0..100 {
            let (first, second) = (back_off(1), back_off(2));
            assert!((FIRST_PAUSE / 2..=FIRST_PAUSE).contains(&first), "{first:?}");
            assert!((FIRST_PAUSE..=FIRST_PAUSE * 2).contains(&second), "{second:?}");
        }
        let many: std::collections::HashSet<_> = (0..100).map(|_| back_off(1)).collect();
        assert!(many.len() > 50, "the pauses differ");
    }

    #[test]
    fn a_long_wait_is_left_to_the_caller() {
        let failure = |seconds: u64| Failure {
            error: EmbedError::Unavailable { retry_after: Some(Duration::from_secs(seconds)), reason: "HTTP 429".to_owned() },
            may_retry: true,
        };
        assert_eq!(failure(1).pause(1), Some(Duration::from_secs(1)));
        assert_eq!(failure(60).pause(1), None);
        assert_eq!(Failure::finally(failure(1).error).pause(1), None);
    }
}
