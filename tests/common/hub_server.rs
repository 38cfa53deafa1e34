//! A small HTTP server on loopback. It implements the part of the Hugging Face hub's protocol that a client needs: the
//! listing of a revision, HEAD and GET of files, redirects of large files to another host, ranges, and many kinds of
//! faults.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha1::Digest;

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server answers a request for the file list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Api {
    /// As the hub does.
    #[default]
    Listing,
    /// Not found, as on a mirror that only serves files.
    Absent,
    /// With an HTML page.
    Page,
    /// Without the `siblings`, as the hub does for some repositories.
    NoFiles,
    /// From another path of the same host, as for a model that was renamed.
    Moved,
}

/// Faults of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    /// Answer with this status ...
    pub status: Option<u16>,
    /// ... the requests whose URL contains this.
    pub only: &'static str,
    /// The `X-Error-Code` of that answer, and other headers, each with its line ending.
    pub error_code: Option<&'static str>,
    pub headers: &'static str,
    /// The body of that answer.
    pub body: &'static str,
    /// Number of requests to answer with 503 first.
    pub busy: usize,
    /// Number of body bytes after which the connection closes, and how many times this happens.
    pub cut_after: usize,
    pub cuts: usize,
    /// After a cut, keep the connection open and send nothing.
    pub hang: bool,
    /// Number of connections to close without an answer.
    pub resets: usize,
    /// Deliver other bytes than announced.
    pub corrupt: bool,
    /// Deliver more bytes than announced.
    pub longer: bool,
    /// Ignore ranges.
    pub no_ranges: bool,
    /// Answer range requests with a different range.
    pub wrong_ranges: bool,
    /// Omit the length of bodies.
    pub no_length: bool,
    /// Send bodies in chunks.
    pub chunked: bool,
    /// Omit the commit.
    pub no_commit: bool,
    /// An etag for all files that is not a hash.
    pub etag: Option<&'static str>,
    /// Redirect files to themselves.
    pub circles: bool,
    /// Redirect small files within the host, as the hub does.
    pub cache_path: bool,
    /// Send nothing at all.
    pub silent: bool,
    /// Answer only requests with this token.
    pub token: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub line: String,
    pub headers: HashMap<String, String>,
}

impl Request {
    /// Returns true if the method matches and the URL contains `part`.
    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.line.starts_with(method) && self.line.contains(part)
    }
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    commit: String,
    api: Api,
    trouble: Trouble,
    requests: Vec<Request>,
}

/// A hub, and the second host that stores its large files.
pub(crate) struct HubServer {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl HubServer {
    pub(crate) fn start(files: Vec<(&str, Vec<u8>)>, trouble: Trouble) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        let state =
            State { files, commit: COMMIT.to_owned(), api: Api::Listing, trouble, requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let storage = TcpListener::bind("127.0.0.1:0").expect("a port");
        let storage_address = format!("http://{}", storage.local_addr().expect("an address"));
        let hub = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", hub.local_addr().expect("an address"));
        for (listener, is_hub) in [(hub, true), (storage, false)] {
            let (state, storage_address) = (state.clone(), storage_address.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (state, storage_address) = (state.clone(), storage_address.clone());
                    std::thread::spawn(move || {
                        // The server ignores clients that disconnect.
                        let _gone = serve(stream, is_hub, &state, &storage_address);
                    });
                }
            });
        }
        Self { endpoint, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the state")
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Number of requests with this method whose URL contains `part`.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.state().requests.iter().filter(|r| r.is(method, part)).count()
    }

    pub(crate) fn set_trouble(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    pub(crate) fn set_api(&self, api: Api) {
        self.state().api = api;
    }

    /// A new commit with these files.
    pub(crate) fn commit(&self, commit: &str, files: Vec<(&str, Vec<u8>)>) {
        let mut state = self.state();
        state.commit = commit.to_owned();
        state.files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    }
}

fn serve(stream: TcpStream, is_hub: bool, state: &Mutex<State>, storage: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(0) => return Ok(()),
        Ok(_) => {}
        Err(_) => {
            // This may be TLS.
            answer(&mut stream, 400, "", b"plain HTTP, please")?;
            std::thread::sleep(Duration::from_millis(100));
            return Ok(());
        }
    }
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let request = Request { line: line.trim_end().to_owned(), headers };
    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("").to_owned());
    let mut guard = state.lock().expect("the state");
    guard.requests.push(request.clone());
    let (trouble, api, commit) = (guard.trouble.clone(), guard.api, guard.commit.clone());
    if trouble.silent {
        drop(guard);
        std::thread::sleep(Duration::from_secs(5));
        return Ok(());
    }
    if trouble.resets > 0 {
        guard.trouble.resets -= 1;
        return Ok(());
    }
    if trouble.busy > 0 {
        guard.trouble.busy -= 1;
        return answer(&mut stream, 503, trouble.headers, b"busy");
    }
    if let Some(status) = trouble.status
        && path.contains(trouble.only)
    {
        let code = trouble.error_code.map(|c| format!("X-Error-Code: {c}\r\n")).unwrap_or_default();
        return answer(&mut stream, status, &format!("{code}{}", trouble.headers), trouble.body.as_bytes());
    }
    let authorized = trouble.token.is_none_or(|token| {
        request.headers.get("authorization").is_some_and(|a| *a == format!("Bearer {token}"))
    });
    if is_hub && !authorized {
        return answer(&mut stream, 401, "", b"no");
    }
    if is_hub && path.starts_with("/api/models/") {
        let names: Vec<String> = guard.files.keys().map(|f| format!("{{\"rfilename\":{f:?}}}")).collect();
        let listing =
            format!("{{\"id\":\"org/tiny\",\"sha\":\"{commit}\",\"siblings\":[{}]}}", names.join(","));
        return match api {
            Api::Absent => answer(&mut stream, 404, "", b"<html>no such page</html>"),
            Api::Page => answer(&mut stream, 200, "", b"<html>Welcome</html>"),
            Api::NoFiles => answer(&mut stream, 200, "", format!("{{\"sha\":\"{commit}\"}}").as_bytes()),
            Api::Moved if !path.contains("/new/") => {
                let new = "Location: /api/models/new/name/revision/main\r\n";
                answer(&mut stream, 307, new, b"moved")
            }
            _ => answer(&mut stream, 200, "", listing.as_bytes()),
        };
    }
    let name = path.split_once("/resolve/").and_then(|(_, rest)| rest.split_once('/')).map(|(_, name)| name);
    let name = name.or(path.strip_prefix("/cached/")).unwrap_or(path.trim_start_matches('/')).to_owned();
    let commit_header =
        if trouble.no_commit { String::new() } else { format!("X-Repo-Commit: {commit}\r\n") };
    let Some(content) = guard.files.get(&name).cloned() else {
        let code = if api == Api::Absent { "" } else { "X-Error-Code: EntryNotFound\r\n" };
        return answer(&mut stream, 404, &format!("{code}{commit_header}"), b"no");
    };
    let large = name.ends_with(".safetensors") || name.ends_with(".bin");
    let own = trouble.etag.map_or_else(|| etag_of(&content, large), str::to_owned);
    let info = format!("{commit_header}ETag: \"{own}\"\r\n");
    if is_hub && trouble.circles {
        return answer(&mut stream, 302, &format!("Location: {path}\r\n"), b"again");
    }
    if is_hub && large {
        let size = content.len();
        // The redirect has its own etag, which differs from that of the file.
        let linked = format!(
            "{commit_header}ETag: \"page\"\r\nX-Linked-ETag: \"{own}\"\r\nX-Linked-Size: {size}\r\n\
             Location: {storage}/{name}\r\n"
        );
        return answer(&mut stream, 302, &linked, b"elsewhere");
    }
    if is_hub && trouble.cache_path && !path.starts_with("/cached/") {
        return answer(&mut stream, 307, &format!("{commit_header}Location: /cached/{name}\r\n"), b"there");
    }
    if method == "HEAD" {
        let length = match trouble.no_length {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", content.len()),
        };
        let head = format!("HTTP/1.1 200 OK\r\n{info}{length}Connection: close\r\n\r\n");
        return stream.write_all(head.as_bytes());
    }
    let cut = trouble.cuts > 0 && content.len() > trouble.cut_after;
    if cut {
        guard.trouble.cuts -= 1;
    }
    drop(guard);
    send_file(&mut stream, &request, content, &trouble, cut)
}

fn send_file(
    stream: &mut TcpStream,
    request: &Request,
    content: Vec<u8>,
    trouble: &Trouble,
    cut: bool,
) -> std::io::Result<()> {
    let mut content = content;
    if trouble.corrupt
        && let Some(first) = content.first_mut()
    {
        *first ^= 1;
    }
    if trouble.longer {
        content.extend_from_slice(&[7; 1000]);
    }
    let total = content.len();
    let asked = request
        .headers
        .get("range")
        .filter(|_| !trouble.no_ranges)
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    if asked.is_some_and(|from| from >= total) {
        return answer(stream, 416, &format!("Content-Range: bytes */{total}\r\n"), b"");
    }
    let from = asked.map_or(0, |from| if trouble.wrong_ranges { from - 1 } else { from });
    let body = &content[from..];
    let mut head = match asked {
        Some(_) => {
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\n", total - 1)
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    if trouble.chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    } else if !trouble.no_length {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    let body = if cut { &body[..trouble.cut_after.min(body.len())] } else { body };
    if trouble.chunked {
        for chunk in body.chunks(1000) {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        if !cut {
            stream.write_all(b"0\r\n\r\n")?;
        }
    } else {
        stream.write_all(body)?;
    }
    if cut && trouble.hang {
        std::thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    stream.write_all(
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    )?;
    stream.write_all(body)
}

/// The etag of a file as on the hub: SHA-256 for large files, git's blob SHA-1 for small ones.
pub(crate) fn etag_of(content: &[u8], large: bool) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    if large {
        return hex(&sha2::Sha256::digest(content));
    }
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}
