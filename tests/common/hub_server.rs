//! A small HTTP server on loopback that speaks as much of the Hugging Face hub's protocol as a client
//! needs: the listing of a revision, HEAD and GET of files, redirects of large files to another host,
//! ranges, and every kind of trouble.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Digest;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server does wrong.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Answer everything with this status.
    pub status: Option<u16>,
    /// The `X-Error-Code` of that answer.
    pub error_code: Option<&'static str>,
    /// Answer so many requests with 503 first.
    pub busy: usize,
    /// Close the connection after so many bytes of a body, so many times.
    pub cut_after: usize,
    pub cuts: usize,
    /// Deliver other bytes than promised.
    pub corrupt: bool,
    /// Ignore ranges.
    pub no_ranges: bool,
    /// Say nothing at all.
    pub silent: bool,
    /// Files are looked for with this token alone.
    pub token: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: HashMap<String, String>,
}

struct State {
    files: HashMap<String, Vec<u8>>,
    trouble: Trouble,
    requests: Vec<Request>,
}

/// A hub, and the second host where its large files are.
pub struct HubServer {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl HubServer {
    pub fn start(files: Vec<(&str, Vec<u8>)>, trouble: Trouble) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        let state = Arc::new(Mutex::new(State { files, trouble, requests: Vec::new() }));
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
                        // A client that goes away is no concern of the server.
                        let _gone = serve(stream, is_hub, &state, &storage_address);
                    });
                }
            });
        }
        Self { endpoint, state }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().expect("the state").requests.clone()
    }

    pub fn set_trouble(&self, trouble: Trouble) {
        self.state.lock().expect("the state").trouble = trouble;
    }
}

fn serve(stream: TcpStream, is_hub: bool, state: &Mutex<State>, storage: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(());
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
    let mut state = state.lock().expect("the state");
    let request = Request { line: line.trim_end().to_owned(), headers };
    state.requests.push(request.clone());
    let trouble = state.trouble.clone();
    if trouble.silent {
        drop(state);
        std::thread::sleep(std::time::Duration::from_secs(5));
        return Ok(());
    }
    if trouble.busy > 0 {
        state.trouble.busy -= 1;
        return answer(&mut stream, 503, "", b"busy");
    }
    if let Some(status) = trouble.status {
        let code = trouble.error_code.map(|c| format!("X-Error-Code: {c}\r\n")).unwrap_or_default();
        return answer(&mut stream, status, &code, b"no");
    }
    let authorized = trouble.token.is_none_or(|token| {
        request.headers.get("authorization").is_some_and(|a| *a == format!("Bearer {token}"))
    });
    if is_hub && !authorized {
        return answer(&mut stream, 401, "", b"no");
    }
    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("").to_owned());
    if is_hub && path.starts_with("/api/models/") {
        let names: Vec<String> = state.files.keys().map(|f| format!("{{\"rfilename\":{f:?}}}")).collect();
        let body = format!("{{\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}", names.join(","));
        return answer(&mut stream, 200, "", body.as_bytes());
    }
    let name =
        path.rsplit(&format!("resolve/{COMMIT}/")).next().unwrap_or("").trim_start_matches('/').to_owned();
    let Some(content) = state.files.get(&name).cloned() else {
        return answer(&mut stream, 404, "X-Error-Code: EntryNotFound\r\n", b"no");
    };
    let large = name.ends_with(".safetensors") || name.ends_with(".bin");
    if is_hub {
        let etag = etag_of(&content, large);
        let info = format!("X-Repo-Commit: {COMMIT}\r\nETag: \"{etag}\"\r\n");
        if large {
            let linked = format!(
                "{info}X-Linked-ETag: \"{etag}\"\r\nX-Linked-Size: {}\r\nLocation: {storage}/{name}\r\n",
                content.len()
            );
            return answer(&mut stream, 302, &linked, b"elsewhere");
        }
        if method == "HEAD" {
            let head = format!(
                "HTTP/1.1 200 OK\r\n{info}Content-Length: {}\r\nConnection: close\r\n\r\n",
                content.len()
            );
            return stream.write_all(head.as_bytes());
        }
    }
    send_file(&mut stream, &request, content, &mut state)
}

fn send_file(
    stream: &mut TcpStream,
    request: &Request,
    content: Vec<u8>,
    state: &mut State,
) -> std::io::Result<()> {
    let trouble = state.trouble.clone();
    let mut content = content;
    if trouble.corrupt
        && let Some(first) = content.first_mut()
    {
        *first ^= 1;
    }
    let from = request
        .headers
        .get("range")
        .filter(|_| !trouble.no_ranges)
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let body = &content[from.unwrap_or(0).min(content.len())..];
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    stream.write_all(
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .as_bytes(),
    )?;
    if trouble.cuts > 0 && body.len() > trouble.cut_after {
        state.trouble.cuts -= 1;
        return stream.write_all(&body[..trouble.cut_after]);
    }
    stream.write_all(body)
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    stream.write_all(
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    )?;
    stream.write_all(body)
}

/// SHA-256 of a large file, git's SHA-1 of a small one, as the hub has it.
pub fn etag_of(content: &[u8], large: bool) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    if large {
        return hex(&sha2::Sha256::digest(content));
    }
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}
