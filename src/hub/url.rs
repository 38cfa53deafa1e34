//! Parts of URLs: origins, redirects, and removal of secrets.

use ureq::http::Uri;

/// Returns the origin of a URL: scheme, host and port.
pub(crate) fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// Returns the host of a URL, for messages.
pub(crate) fn host(url: &str) -> String {
    url.parse::<Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
        .unwrap_or_else(|| "the server".to_owned())
}

/// Returns true if a URL points to this machine, for which no proxy is used.
pub(crate) fn is_loopback(url: &str) -> bool {
    let host = host(url);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|a| a.is_loopback())
}

/// Resolves a `Location` header relative to `base`.
pub(crate) fn resolve(base: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    if location.is_empty() || location.contains("://") && !location.starts_with(['/', '?']) {
        return None;
    }
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    if location.starts_with('?') {
        return Some(format!("{scheme}://{authority}{path}{location}"));
    }
    let directory = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    Some(format!("{scheme}://{authority}{directory}{location}"))
}

/// Returns a URL without its query, which may contain secrets.
pub(crate) fn without_query(url: &str) -> String {
    without_password(url.split(['?', '#']).next().unwrap_or_default())
}

/// Returns a URL without user name and password.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_with_its_host() {
        let home = origin("https://huggingface.co");
        for same in ["https://huggingface.co/a/b", "https://HuggingFace.co:443/a?b"] {
            assert_eq!(origin(same), home, "{same}");
        }
        for other in [
            "http://huggingface.co/a",
            "https://huggingface.co.evil.example/a",
            "https://huggingface.co@evil.example/a",
            "https://huggingface.co:444/a",
            "https://evil.example/huggingface.co",
            "https://evil.example\\@huggingface.co/",
        ] {
            assert_ne!(origin(other), home, "{other}");
        }
    }

    #[test]
    fn locations_are_seen_from_where_they_came() {
        let base = "http://h:1/a/b/c?d";
        for (location, full) in [
            ("https://x/y", Some("https://x/y")),
            ("//x/y", Some("http://x/y")),
            ("/y?z=http://q", Some("http://h:1/y?z=http://q")),
            ("y", Some("http://h:1/a/b/y")),
            ("?y", Some("http://h:1/a/b/c?y")),
            ("ftp://x/y", None),
            ("", None),
        ] {
            assert_eq!(resolve(base, location).as_deref(), full, "{location}");
        }
    }

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        assert_eq!(without_password("https://u:p@h/a@b"), "https://h/a@b");
        assert_eq!(without_query("https://h/a?sig=x"), "https://h/a");
        assert!(is_loopback("http://127.0.0.1:80/x") && is_loopback("http://[::1]:80"));
        assert!(!is_loopback("https://huggingface.co"));
    }
}
