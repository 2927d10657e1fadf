//! What a host's headers ask of us: pauses, allowances, kinds of content.
//!
//! `RateLimit-Reset` is a moment of the host's clock (seconds since 1970) on this network, and a number of seconds in
//! the IETF draft it comes from: both are understood. Moments are counted from the answer's own `Date`, so that a wrong
//! clock here changes nothing.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};

/// The window of the published limits: the pause when a host only says "too many".
pub(crate) const WINDOW: Duration = Duration::from_secs(300);
/// No pause is longer, whatever a host asks for: once an hour is gentle enough.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The pause that an answer asks for: any 429, and a 503 that says when to come back.
pub(crate) fn pause(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let asked = match status {
        StatusCode::TOO_MANY_REQUESTS => retry_after(headers).or_else(|| reset(headers)).unwrap_or(WINDOW),
        StatusCode::SERVICE_UNAVAILABLE => retry_after(headers)?,
        _ => return None,
    };
    Some(asked.min(LONGEST_PAUSE))
}

/// Limit, remaining questions and time until the reset of the tightest bucket that the question fell into.
pub(crate) fn allowance(headers: &HeaderMap) -> Option<(u64, u64, Duration)> {
    let limit = number(headers, "ratelimit-limit")?;
    let remaining = number(headers, "ratelimit-remaining")?;
    Some((limit, remaining, reset(headers)?.min(LONGEST_PAUSE)))
}

/// The media type without parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next().unwrap_or_default().trim();
    Some(essence.to_ascii_lowercase()).filter(|essence| !essence.is_empty() && essence.len() <= 128)
}

/// `application/json` and every `application/…+json`.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(until(parse_date(text)?.as_second(), headers)?),
    }
}

fn reset(headers: &HeaderMap) -> Option<Duration> {
    // Ten years of seconds: no window is that long, and no moment that early.
    const MOMENT: u64 = 315_360_000;
    match number(headers, "ratelimit-reset")? {
        moment if moment > MOMENT => until(i64::try_from(moment).ok()?, headers),
        seconds => Some(Duration::from_secs(seconds)),
    }
}

/// From the moment of the answer to `moment`, both by the host's clock.
fn until(moment: i64, headers: &HeaderMap) -> Option<Duration> {
    let answered = parse_date(headers.get(DATE)?.to_str().ok()?)?.as_second();
    let seconds = moment.saturating_sub(answered).max(0);
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

fn parse_date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text.trim()).ok().map(|date| date.timestamp())
}

/// `3000`, or the first number of the draft's `3000, 3000;w=300`.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    text.split([',', ';']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn pauses_are_read_in_every_form() {
        let check = |status: u16, lines: &[(&'static str, &str)], seconds: Option<u64>| {
            let pause = pause(StatusCode::from_u16(status).unwrap(), &headers(lines));
            assert_eq!(pause, seconds.map(Duration::from_secs), "{status} {lines:?}");
        };
        let date = ("date", "Sun, 22 Nov 2026 14:00:00 GMT");
        check(429, &[], Some(300));
        check(429, &[("retry-after", "7")], Some(7));
        check(429, &[("retry-after", "7"), ("ratelimit-reset", "99")], Some(7));
        check(429, &[("retry-after", "Sun, 22 Nov 2026 14:01:30 GMT"), date], Some(90));
        check(429, &[("retry-after", "Sun, 22 Nov 2026 13:00:00 GMT"), date], Some(0));
        check(429, &[("retry-after", "Sun, 22 Nov 2026 14:01:30 GMT")], Some(300));
        check(429, &[("retry-after", "soon")], Some(300));
        check(429, &[("ratelimit-reset", "1795356012"), date], Some(12));
        check(429, &[("ratelimit-reset", "1795356012")], Some(300));
        check(429, &[("ratelimit-reset", "45")], Some(45));
        check(429, &[("retry-after", "999999999999")], Some(3600));
        check(503, &[("retry-after", "20")], Some(20));
        check(503, &[], None);
        check(500, &[("retry-after", "20")], None);
        check(200, &[("retry-after", "20")], None);
    }

    #[test]
    fn allowances_are_read_or_left() {
        let date = ("date", "Sun, 22 Nov 2026 14:00:00 GMT");
        let all = [
            ("ratelimit-limit", "3000"),
            ("ratelimit-remaining", "12"),
            ("ratelimit-reset", "1795356300"),
            date,
        ];
        assert_eq!(allowance(&headers(&all)), Some((3000, 12, Duration::from_secs(300))));
        assert_eq!(allowance(&headers(&all[..3])), None);
        assert_eq!(allowance(&headers(&[])), None);
    }

    #[test]
    fn media_types_lose_their_parameters() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(media_type(&headers(&[("content-type", text)])).as_deref(), expected);
        };
        check("application/JSON; charset=utf-8", Some("application/json"));
        check("", None);
        assert!(is_json("application/did+ld+json") && is_json("application/json"));
        assert!(!is_json("text/html") && !is_json("text/json5"));
    }
}
