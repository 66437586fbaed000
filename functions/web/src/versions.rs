//! What tells one version of a playlist from the next.

use relay::ports::Validators;
use std::time::UNIX_EPOCH;

/// Whether the next version of a playlist will have other validators than this one, which was
/// answered at `date`.
///
/// Dates count whole seconds. A version that was made in the second of its answer may have a
/// successor of the same date (RFC 9110 section 8.8.2.2), which would be taken for it until yet
/// another one comes. Entity tags know better, but for those that begin with the date, as nginx
/// makes them.
pub(crate) fn tells_apart(validators: &Validators, date: Option<String>) -> bool {
    let time = |text: &str| httpdate::parse_http_date(text).ok();
    let Some(modified) = validators.last_modified.as_deref().and_then(time) else { return true };
    if let Some(etag) = &validators.etag {
        let seconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if !etag.trim_start_matches("W/").starts_with(&format!("\"{seconds:x}-")) {
            return true;
        }
    }
    date.as_deref().and_then(time).is_some_and(|date| date > modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_may_look_like_its_successor_has_no_validators() {
        let (second, next) = ("Sat, 21 Nov 2026 08:00:00 GMT", "Sat, 21 Nov 2026 08:00:01 GMT");
        for (etag, modified, date, expected) in [
            (None, None, None, true),
            (Some("\"v1\""), None, Some(second), true),
            (Some("\"v1\""), Some(second), Some(second), true),
            (Some("\"5f-64382afc43f40\""), Some(second), Some(second), true),
            (None, Some(second), Some(second), false),
            (None, Some(second), Some(next), true),
            (None, Some(next), Some(second), false),
            (None, Some(second), None, false),
            (Some("\"6b2178c0-1f3\""), Some("Thu, 17 Dec 2026 00:00:00 GMT"), None, true),
        ] {
            let validators = Validators {
                etag: etag.map(str::to_owned),
                last_modified: modified.map(str::to_owned),
            };
            let told = tells_apart(&validators, date.map(str::to_owned));
            assert_eq!(told, expected, "{validators:?} {date:?}");
        }
        // 1,795,248,000 seconds after 1970.
        for (etag, expected) in [("\"6b014f80-1f3\"", false), ("W/\"6b014f80-1f3\"", false)] {
            let validators =
                Validators { etag: Some(etag.into()), last_modified: Some(second.into()) };
            assert_eq!(tells_apart(&validators, Some(second.into())), expected, "{etag}");
            assert!(tells_apart(&validators, Some(next.into())), "{etag}");
        }
    }
}
