//! Requests to the hub: redirects, authorization and retries.

use std::io;
use std::time::Duration;

use ureq::http::{HeaderMap, Method, Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::url::{host, is_loopback, origin, resolve, without_password, without_query};
use super::{HubId, HubSettings, Progress};
use crate::error::{Error, Result};

/// Maximum number of redirects per request.
const MAX_REDIRECTS: usize = 10;

/// Maximum wait between retries, including waits requested by the server.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The failure of a request, classified by whether a retry can help.
pub(crate) enum RequestError {
    /// The server is busy or the connection broke. The server may have requested a wait.
    Transient(String, Option<Duration>),
    /// The server cannot be reached.
    Unreachable(String),
    /// A retry would fail in the same way.
    Permanent(String),
}

/// A response, with the file's metadata collected along the redirects.
pub(crate) struct Answer {
    /// The last response.
    pub response: Response<Body>,
    /// `X-Repo-Commit`.
    pub commit: Option<String>,
    /// `X-Linked-ETag`, otherwise `ETag`.
    pub etag: Option<String>,
    /// `X-Linked-Size`, otherwise `Content-Length`.
    pub size: Option<u64>,
    /// The host that answered, and whether it belongs to the hub.
    pub host: String,
    pub same_origin: bool,
}

impl Answer {
    /// Returns the status of the last response.
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns a header of the last response.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.response.headers(), name)
    }
}

/// A client of one hub for one model.
pub(crate) struct Client<'a> {
    pub id: &'a HubId,
    pub settings: &'a HubSettings,
    /// An agent that does not follow redirects, because the token must not reach another host.
    agent: Agent,
}

impl<'a> Client<'a> {
    pub(crate) fn new(id: &'a HubId, settings: &'a HubSettings) -> Result<Self> {
        let timeout = Some(settings.timeout);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_recv_response(timeout)
            // There is no total time limit for a body, only one for each pause.
            .timeout_per_read(timeout)
            .timeout_per_write(timeout)
            .user_agent(concat!("albert/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&settings.endpoint) {
            config = config.proxy(None);
        }
        if let Some(roots) = roots(settings)? {
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self { id, settings, agent: config.build().into() })
    }

    /// Creates the error of a request.
    pub(crate) fn refuse(&self, url: &str, problem: impl Into<String>) -> Error {
        Error::Hub { model: self.id.name(), url: without_password(url), problem: problem.into() }
    }

    /// Creates the error of a request that failed after `tries` attempts.
    pub(crate) fn request_error(&self, url: &str, trouble: RequestError, tries: u32) -> Error {
        let times = if tries > 1 { format!(", {tries} times") } else { String::new() };
        match trouble {
            RequestError::Transient(problem, _) => self
                .refuse(url, format!("{problem}{times}; try again later, or option offline uses the cache alone")),
            RequestError::Unreachable(problem) => self.refuse(
                url,
                format!(
                    "{problem}{times}; is the network up? (option offline uses the cache alone, HF_ENDPOINT names \
                     another hub, HTTPS_PROXY a proxy)"
                ),
            ),
            RequestError::Permanent(problem) => self.refuse(url, problem),
        }
    }

    /// Sends a GET or HEAD request and retries transient failures.
    pub(crate) fn request(&self, method: &Method, url: &str, progress: &mut dyn Progress) -> Result<Answer> {
        let mut tries = 1;
        loop {
            match self.request_once(method, url, 0) {
                Ok(answer) => return Ok(answer),
                Err(RequestError::Transient(problem, wait)) if tries <= self.settings.retries => {
                    self.wait(tries, &problem, wait, progress);
                    tries += 1;
                }
                Err(trouble) => return Err(self.request_error(url, trouble, tries)),
            }
        }
    }

    /// Describes why a body was interrupted.
    pub(crate) fn broken(&self, host: &str, error: io::Error) -> String {
        match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => silent(host, self.settings.timeout),
            ureq::Error::Io(error) => format!("the connection to {host} broke: {error}"),
            error => format!("the connection to {host} broke: {error}"),
        }
    }

    /// Waits before the next attempt.
    pub(crate) fn wait(
        &self,
        tries: u32,
        problem: &str,
        asked: Option<Duration>,
        progress: &mut dyn Progress,
    ) {
        progress.note(&format!("{problem}; trying again ({tries} of {})", self.settings.retries));
        let own = self.settings.backoff.saturating_mul(2u32.saturating_pow(tries.saturating_sub(1)));
        std::thread::sleep(asked.unwrap_or(own).min(MAX_WAIT));
    }

    /// Sends one request, starting at byte `from`, and follows its redirects. The token is sent only to the hub's own host.
    /// For a HEAD request, redirects to another host are not followed once the hub has identified the content.
    pub(crate) fn request_once(
        &self,
        method: &Method,
        url: &str,
        from: u64,
    ) -> std::result::Result<Answer, RequestError> {
        let home = origin(&self.settings.endpoint);
        let mut url = url.to_owned();
        let (mut commit, mut linked_etag, mut linked_size) = (None, None, None);
        for _ in 0..=MAX_REDIRECTS {
            let same_origin = home.is_some() && origin(&url) == home;
            let response = self.send(method, &url, from, same_origin)?;
            let named = |name| header(response.headers(), name).map(str::to_owned);
            commit = commit.or_else(|| named("x-repo-commit"));
            linked_etag = linked_etag.or_else(|| named("x-linked-etag"));
            linked_size = linked_size.or_else(|| named("x-linked-size"));
            let next = self.next_hop(&url, &response)?;
            let stays = |next: &String| origin(next) == origin(&url);
            if let Some(next) = next
                && (*method != Method::HEAD || linked_etag.is_none() || stays(&next))
            {
                url = next;
                continue;
            }
            let length = named("content-length").filter(|_| response.status().is_success());
            return Ok(Answer {
                commit,
                etag: linked_etag.or_else(|| named("etag")).map(|etag| bare_etag(&etag)),
                size: linked_size.or(length).and_then(|size| size.parse().ok()),
                host: host(&url),
                same_origin,
                response,
            });
        }
        Err(RequestError::Permanent(format!("{} redirects in circles", host(&url))))
    }

    fn send(
        &self,
        method: &Method,
        url: &str,
        from: u64,
        same_origin: bool,
    ) -> std::result::Result<Response<Body>, RequestError> {
        let mut request = if *method == Method::HEAD { self.agent.head(url) } else { self.agent.get(url) };
        // Compressed bodies would not match sizes and hashes.
        request = request.header("Accept-Encoding", "identity");
        if let Some(token) = self.settings.token.as_ref().filter(|_| same_origin) {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let response = request.call().map_err(|error| trouble(error, url, self.settings.timeout))?;
        let status = response.status();
        // Signed URLs of large files on another host expire. The hub issues a new one.
        let expired = !same_origin && status == StatusCode::FORBIDDEN;
        let is_passing = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if is_passing || expired {
            let wait = header(response.headers(), "retry-after").and_then(|s| s.parse().ok());
            return Err(RequestError::Transient(
                format!("{} answers {status}", host(url)),
                wait.map(Duration::from_secs),
            ));
        }
        Ok(response)
    }

    /// Returns the target of a redirect.
    fn next_hop(
        &self,
        url: &str,
        response: &Response<Body>,
    ) -> std::result::Result<Option<String>, RequestError> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let location = header(response.headers(), "location").unwrap_or_default();
        match resolve(url, location) {
            None => Err(RequestError::Permanent(format!("{} redirects to no address", host(url)))),
            Some(next) if url.starts_with("https://") && !next.starts_with("https://") => {
                Err(RequestError::Permanent(format!(
                    "{} redirects from https to {}",
                    host(url),
                    without_query(&next)
                )))
            }
            next => Ok(next),
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Returns an etag without quotes and without the prefix of a weak one.
fn bare_etag(etag: &str) -> String {
    etag.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// Reads the certificates named in the settings.
fn roots(settings: &HubSettings) -> Result<Option<RootCerts>> {
    let Some(path) = settings.ca_file.as_ref().filter(|_| settings.endpoint.starts_with("https://")) else {
        return Ok(None);
    };
    let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Error::bad_file(
            path,
            "no certificates in PEM form (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE names this file)",
        ));
    }
    Ok(Some(RootCerts::new_with_certs(&certificates)))
}

/// Classifies a transport error.
fn trouble(error: ureq::Error, url: &str, timeout: Duration) -> RequestError {
    let host = host(url);
    let no_tls = |e: String| {
        RequestError::Permanent(format!(
            "no secure connection to {host}: {e} (where a proxy inspects the traffic, SSL_CERT_FILE names \
             its certificates)"
        ))
    };
    match error {
        ureq::Error::HostNotFound => RequestError::Unreachable(format!("cannot find the host {host}")),
        ureq::Error::Timeout(_) => RequestError::Transient(silent(&host, timeout), None),
        ureq::Error::Io(e) => match e.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => {
                RequestError::Unreachable(format!("cannot reach {host}: {e}"))
            }
            // Failed name lookups have no error kind of their own.
            _ if e.to_string().starts_with("failed to lookup address") => {
                RequestError::Unreachable(format!("cannot find the host {host}: {e}"))
            }
            io::ErrorKind::InvalidData if url.starts_with("https://") => no_tls(e.to_string()),
            _ => RequestError::Transient(format!("the connection to {host} broke: {e}"), None),
        },
        e @ (ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_)) => no_tls(e.to_string()),
        ureq::Error::ConnectProxyFailed(e) => {
            RequestError::Unreachable(format!("the proxy of HTTPS_PROXY does not connect to {host}: {e}"))
        }
        ureq::Error::BadUri(e) => RequestError::Permanent(format!("not an address: {e}")),
        e => RequestError::Permanent(format!("an invalid response from {host}: {e}")),
    }
}

fn silent(host: &str, timeout: Duration) -> String {
    format!("{host} was silent for {timeout:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_knows_are_told_from_lines_that_break() {
        let look_up = "failed to lookup address information: Name or service not known";
        let kind = |error: io::Error| match trouble(error.into(), "https://h/x", Duration::from_secs(1)) {
            RequestError::Unreachable(problem) => format!("unreachable: {problem}"),
            RequestError::Transient(problem, _) => format!("passing: {problem}"),
            RequestError::Permanent(problem) => format!("final: {problem}"),
        };
        assert_eq!(
            kind(io::Error::other(look_up)),
            format!("unreachable: cannot find the host h: {look_up}")
        );
        assert_eq!(
            kind(io::ErrorKind::ConnectionReset.into()),
            "passing: the connection to h broke: connection reset"
        );
        assert!(kind(io::ErrorKind::InvalidData.into()).starts_with("final: no secure connection to h: "));
    }

    #[test]
    fn etags_are_names() {
        assert_eq!(bare_etag("\"abc\""), "abc");
        assert_eq!(bare_etag("W/\"abc\""), "abc");
    }
}
