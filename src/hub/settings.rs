//! Where the cache is, which hub to ask, with which token: the environment that `huggingface_hub` reads.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};

/// Settings of the hub.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// `HF_ENDPOINT`.
    pub endpoint: String,
    /// `HF_TOKEN`, else the file that `hf auth login` writes.
    pub token: Option<String>,
    /// No network.
    pub offline: bool,
    /// A server that is silent for so long is given up.
    pub timeout: Duration,
    /// How often a failed request is tried again.
    pub retries: u32,
}

impl HubSettings {
    /// From the environment; `offline` is what the command line says.
    ///
    /// # Errors
    /// [`Error::Usage`] when no directory for the cache can be told.
    pub fn from_env(offline: bool) -> Result<Self> {
        Self::from_lookup(offline, |name| std::env::var(name).ok())
    }

    /// The same from any source of variables.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_lookup(offline: bool, lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| get(name).map(PathBuf::from);
        let home =
            path("HF_HOME").or_else(|| path("XDG_CACHE_HOME").map(|p| p.join("huggingface"))).or_else(|| {
                path("HOME").or_else(|| path("USERPROFILE")).map(|p| p.join(".cache").join("huggingface"))
            });
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| home.as_ref().map(|h| h.join("hub")))
            .ok_or_else(|| Error::Usage {
                flag: "HF_HOME".to_owned(),
                problem: "no directory for models: neither HF_HUB_CACHE, HF_HOME nor HOME is set".to_owned(),
            })?;
        let token_file = path("HF_TOKEN_PATH").or_else(|| home.as_ref().map(|h| h.join("token")));
        let token = get("HF_TOKEN")
            .or_else(|| get("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file?).ok())
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty());
        let truthy = |name: &str| {
            get(name).is_some_and(|v| matches!(v.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
        };
        Ok(Self {
            cache,
            endpoint: get("HF_ENDPOINT")
                .unwrap_or_else(|| "https://huggingface.co".to_owned())
                .trim_end_matches('/')
                .to_owned(),
            token,
            offline: offline || truthy("HF_HUB_OFFLINE") || truthy("TRANSFORMERS_OFFLINE"),
            timeout: Duration::from_secs(30),
            retries: 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<HubSettings> {
        HubSettings::from_lookup(false, |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn variables_take_precedence_as_in_huggingface_hub() {
        let cache = |v: &[(&str, &str)]| settings(v).map(|s| s.cache.display().to_string()).ok();
        assert_eq!(cache(&[("HOME", "/h")]).as_deref(), Some("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]).as_deref(), Some("/c/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("HF_HOME", "/m")]).as_deref(), Some("/m/hub"));
        assert_eq!(cache(&[("HF_HOME", "/m"), ("HF_HUB_CACHE", "/x")]).as_deref(), Some("/x"));
        assert_eq!(cache(&[]), None);
    }

    #[test]
    fn offline_by_flag_or_variable() {
        let offline = |v: &str| settings(&[("HOME", "/h"), ("HF_HUB_OFFLINE", v)]).map(|s| s.offline).ok();
        assert_eq!(offline("1"), Some(true));
        assert_eq!(offline("true"), Some(true));
        assert_eq!(offline("0"), Some(false));
        assert!(
            HubSettings::from_lookup(true, |n| (n == "HOME").then(|| "/h".to_owned()))
                .is_ok_and(|s| s.offline)
        );
    }
}
