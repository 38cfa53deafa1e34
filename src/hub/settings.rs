//! Settings of the hub, from huggingface_hub's environment variables.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// Default timeout for a server that does not respond.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Settings of the hub.
#[derive(Clone)]
pub struct HubSettings {
    /// Cache directory: `HF_HUB_CACHE`, otherwise `HF_HOME/hub`, otherwise `~/.cache/huggingface/hub`.
    pub cache_dir: PathBuf,
    /// URL of the hub without a trailing slash: `HF_ENDPOINT`.
    pub endpoint: String,
    /// `HF_TOKEN`, otherwise the file written by `hf auth login`. Sent only to the endpoint's host.
    pub token: Option<String>,
    /// True if network access is forbidden.
    pub offline: bool,
    /// True to check whether a branch has moved, even if the cache has a complete model for it.
    pub refresh: bool,
    /// Timeout for a server that does not respond.
    pub timeout: Duration,
    /// Number of retries after transient failures.
    pub retries: u32,
    /// Wait before the first retry. It doubles with every retry.
    pub backoff: Duration,
    /// File with certificates (PEM) to trust instead of the built-in ones.
    pub ca_file: Option<PathBuf>,
}

/// Prints everything except the token.
impl fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("cache_dir", &self.cache_dir)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("offline", &self.offline)
            .field("refresh", &self.refresh)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("backoff", &self.backoff)
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

impl HubSettings {
    /// Returns settings for the public hub without a token.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            offline: false,
            refresh: false,
            timeout: TIMEOUT,
            retries: 4,
            backoff: Duration::from_millis(500),
            ca_file: None,
        }
    }

    /// Reads the settings from the environment. `offline` is the choice of the command line.
    ///
    /// # Errors
    /// [`Error::Variable`] if the cache directory cannot be determined or a variable is invalid.
    pub fn from_env(offline: bool) -> Result<Self> {
        Self::from_lookup(offline, |name| {
            let value = std::env::var_os(name);
            if name == "HOME" { value.or_else(|| std::env::home_dir().map(OsString::from)) } else { value }
        })
    }

    /// Like [`Self::from_env`], from any source of variables. Empty variables count as unset.
    ///
    /// # Errors
    /// Same as [`Self::from_env`].
    pub fn from_lookup(offline: bool, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let env = Environment { lookup };
        let home = env
            .path("HF_HOME")
            .or_else(|| env.path("XDG_CACHE_HOME").map(|p| p.join("huggingface")))
            .or_else(|| env.home().map(|p| p.join(".cache").join("huggingface")));
        let cache_dir = env
            .path("HF_HUB_CACHE")
            .or_else(|| env.path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| home.as_ref().map(|h| h.join("hub")))
            .ok_or_else(|| {
                usage("HF_HOME", "no directory for models: neither HF_HUB_CACHE, HF_HOME nor HOME is set")
            })?;
        // As in huggingface_hub, the second variable only counts if the first is unset.
        let offline_value = env.text("HF_HUB_OFFLINE").or_else(|| env.text("TRANSFORMERS_OFFLINE"));
        let mut settings = Self::new(cache_dir);
        settings.offline = offline || offline_value.is_some_and(|v| is_true(&v));
        settings.token = env.token(home.as_deref())?;
        settings.ca_file = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
            .into_iter()
            .find_map(|name| env.path(name));
        if let Some(endpoint) = env.text("HF_ENDPOINT") {
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                return Err(usage("HF_ENDPOINT", "begins with neither https:// nor http://"));
            }
            settings.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        if let Some(seconds) = env.text("HF_HUB_DOWNLOAD_TIMEOUT") {
            let seconds = seconds.trim().parse().ok().filter(|s| *s > 0);
            settings.timeout = seconds
                .map(Duration::from_secs)
                .ok_or_else(|| usage("HF_HUB_DOWNLOAD_TIMEOUT", "not a whole number of seconds above 0"))?;
        }
        Ok(settings)
    }
}

fn usage(name: &str, problem: &str) -> Error {
    Error::Variable { name: name.to_owned(), problem: problem.to_owned() }
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
}

struct Environment<F> {
    lookup: F,
}

impl<F: Fn(&str) -> Option<OsString>> Environment<F> {
    fn get(&self, name: &str) -> Option<OsString> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.into_string().ok()
    }

    fn home(&self) -> Option<PathBuf> {
        self.get("HOME").or_else(|| self.get("USERPROFILE")).map(PathBuf::from)
    }

    /// Returns a path in which `~`, `$NAME` and `${NAME}` are expanded like in Python's `expanduser` and `expandvars`.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.get(name)?;
        let Some(text) = value.to_str() else { return Some(value.into()) };
        let text = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home()?.display())
            }
            _ => text.to_owned(),
        };
        Some(self.with_variables(&text).into())
    }

    fn with_variables(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            let after = &rest[dollar + 1..];
            let (name, end) = match after.strip_prefix('{') {
                Some(braced) => braced.find('}').map_or(("", 0), |end| (&braced[..end], end + 2)),
                None => {
                    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let end = end.unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.text(name).filter(|_| !name.is_empty()) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[dollar..=dollar + end]),
            }
            rest = &after[end..];
        }
        out.push_str(rest);
        out
    }

    fn token(&self, home: Option<&Path>) -> Result<Option<String>> {
        if self.text("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|v| is_true(&v)) {
            return Ok(None);
        }
        let from_variable = self.text("HF_TOKEN").or_else(|| self.text("HUGGING_FACE_HUB_TOKEN"));
        let from_file = || {
            let file = self.path("HF_TOKEN_PATH").or_else(|| home.map(|h| h.join("token")))?;
            std::fs::read_to_string(file).ok()
        };
        let token = from_variable.or_else(from_file).map(|token| token.trim().to_owned());
        match token.filter(|token| !token.is_empty()) {
            Some(token) if !token.bytes().all(|b| b.is_ascii_graphic()) => {
                Err(usage("HF_TOKEN", "the token has characters that no token has"))
            }
            token => Ok(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<HubSettings> {
        HubSettings::from_lookup(false, |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn variables_take_precedence_as_in_huggingface_hub() {
        let cache = |v: &[(&str, &str)]| settings(v).map(|s| s.cache_dir.display().to_string()).ok();
        assert_eq!(cache(&[("HOME", "/h")]).as_deref(), Some("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]).as_deref(), Some("/c/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("HF_HOME", "/m")]).as_deref(), Some("/m/hub"));
        let old_name = [("HF_HOME", "/m"), ("HUGGINGFACE_HUB_CACHE", "/y")];
        assert_eq!(cache(&old_name).as_deref(), Some("/y"));
        assert_eq!(cache(&[&old_name[..], &[("HF_HUB_CACHE", "/x")]].concat()).as_deref(), Some("/x"));
        assert_eq!(cache(&[("HOME", "/h"), ("HF_HOME", "")]).as_deref(), Some("/h/.cache/huggingface/hub"));
    }

    #[test]
    fn paths_are_expanded_as_in_huggingface_hub() {
        let cache = |value: &str| {
            let variables = [("HOME", "/h"), ("DISK", "/d"), ("HF_HUB_CACHE", value)];
            settings(&variables).map(|s| s.cache_dir.display().to_string()).unwrap_or_default()
        };
        for (value, expanded) in [
            ("~/models", "/h/models"),
            ("~", "/h"),
            ("$DISK/m", "/d/m"),
            ("${DISK}x/m", "/dx/m"),
            ("$NOTHING/m$", "$NOTHING/m$"),
            ("/a~/${b", "/a~/${b"),
        ] {
            assert_eq!(cache(value), expanded, "{value}");
        }
    }

    #[test]
    fn no_home_is_said() {
        let error = settings(&[]).expect_err("no directory").to_string();
        assert_eq!(error, "HF_HOME: no directory for models: neither HF_HUB_CACHE, HF_HOME nor HOME is set");
    }

    #[test]
    fn offline_by_setting_or_variable() {
        let offline = |extra: &[(&str, &str)]| {
            settings(&[&[("HOME", "/h")], extra].concat()).map(|s| s.offline).expect("settings")
        };
        for value in ["1", "true", "True", "yes", "ON"] {
            assert!(offline(&[("HF_HUB_OFFLINE", value)]), "{value}");
            assert!(offline(&[("TRANSFORMERS_OFFLINE", value)]), "{value}");
        }
        for value in ["0", "false", "", "2", "auto"] {
            assert!(!offline(&[("HF_HUB_OFFLINE", value)]), "{value}");
        }
        assert!(!offline(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]));
        let by_setting = HubSettings::from_lookup(true, |n| (n == "HOME").then(|| "/h".into()));
        assert!(by_setting.is_ok_and(|s| s.offline));
    }

    #[test]
    fn the_token_comes_from_variables_then_the_file_and_is_never_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("token"), "hf_file\n").expect("writes");
        let home = directory.path().to_str().expect("text");
        let token = |extra: &[(&str, &str)]| {
            settings(&[&[("HF_HOME", home)], extra].concat()).map(|s| s.token).expect("settings")
        };
        assert_eq!(token(&[]).as_deref(), Some("hf_file"));
        assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "hf_old")]).as_deref(), Some("hf_old"));
        let both = [("HUGGING_FACE_HUB_TOKEN", "hf_old"), ("HF_TOKEN", " hf_new\n")];
        assert_eq!(token(&both).as_deref(), Some("hf_new"));
        assert_eq!(token(&[("HF_TOKEN_PATH", "/nowhere/token")]), None);
        assert_eq!(token(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"), ("HF_TOKEN", "x")]), None);
        assert!(settings(&[("HOME", "/h"), ("HF_TOKEN", "a\nb")]).is_err());
        let shown = settings(&[("HOME", "/h"), ("HF_TOKEN", "hf_secret")]).expect("settings");
        assert!(!format!("{shown:?}").contains("hf_secret"));
    }

    #[test]
    fn endpoint_timeout_and_certificates() {
        let with = |extra: &[(&str, &str)]| settings(&[&[("HOME", "/h")], extra].concat());
        let plain = with(&[]).expect("settings");
        assert_eq!((plain.endpoint.as_str(), plain.timeout), ("https://huggingface.co", TIMEOUT));
        let other = with(&[
            ("HF_ENDPOINT", "http://mirror.example/hf/"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "7"),
            ("SSL_CERT_FILE", "/etc/a.pem"),
            ("REQUESTS_CA_BUNDLE", "/etc/b.pem"),
        ])
        .expect("settings");
        assert_eq!(other.endpoint, "http://mirror.example/hf");
        assert_eq!(other.timeout, Duration::from_secs(7));
        assert_eq!(other.ca_file.as_deref(), Some(Path::new("/etc/b.pem")));
        assert!(with(&[("HF_ENDPOINT", "mirror.example")]).is_err());
        assert!(with(&[("HF_HUB_DOWNLOAD_TIMEOUT", "soon")]).is_err());
    }
}
