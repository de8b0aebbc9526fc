//! A proxy between a client and the server: it counts round trips, and fails at a chosen
//! statement.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::spawn;

/// The action of a proxy at one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The statement does not reach the server. Its answer is a serialization failure.
    Conflict,
    /// The connection ends before the statement reaches the server.
    CutBefore,
    /// The connection ends when a half of the statement has reached the server.
    CutDuring,
    /// The connection ends when the server has answered, before the client sees the answer.
    CutAfter,
}

/// A proxy in front of a server of this machine.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    trips: AtomicU64,
    statements: AtomicU64,
    /// The statement that fails.
    fault: Mutex<Option<(u64, Fault)>>,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let of_listener = shared.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                // The server may be down.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                of_listener.connect(client, server);
            }
        });
        Self { port, shared }
    }

    /// Returns the number of round trips during some work.
    pub(crate) fn trips<T>(&self, work: impl FnOnce() -> T) -> (u64, T) {
        let before = self.shared.trips.load(Ordering::SeqCst);
        let done = work();
        (self.shared.trips.load(Ordering::SeqCst) - before, done)
    }

    /// Makes a later statement fail: the next has the number 1.
    pub(crate) fn fail_at(&self, n: u64, fault: Fault) {
        let now = self.shared.statements.load(Ordering::SeqCst);
        *self.fault() = Some((now + n, fault));
    }

    /// Ends the faults. Returns whether the statement was reached.
    pub(crate) fn has_failed(&self) -> bool {
        self.fault().take().is_none()
    }

    fn fault(&self) -> std::sync::MutexGuard<'_, Option<(u64, Fault)>> {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        // Whether the server has answered since the client last sent something.
        let has_answered = Arc::new(AtomicBool::new(true));
        // Whether the answers of the server no longer reach the client.
        let is_cut = Arc::new(AtomicBool::new(false));
        let (from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let (answered, cut) = (has_answered.clone(), is_cut.clone());
        spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = (&from).read(&mut buffer) {
                answered.store(true, Ordering::SeqCst);
                if cut.load(Ordering::SeqCst) || to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            end(&from, &to);
        });
        let shared = self.clone();
        spawn(move || {
            let mut requests = Requests { client: &client, is_started: false };
            while let Some(request) = requests.next() {
                if !shared.forward(&request, &client, &server, (&has_answered, &is_cut)) {
                    break;
                }
            }
            if !is_cut.load(Ordering::SeqCst) {
                end(&client, &server);
            }
        });
    }

    /// Forwards a request. Returns whether the connection goes on.
    fn forward(
        &self,
        request: &Request,
        mut client: &TcpStream,
        mut server: &TcpStream,
        (has_answered, is_cut): (&AtomicBool, &AtomicBool),
    ) -> bool {
        if has_answered.swap(false, Ordering::SeqCst) {
            self.trips.fetch_add(1, Ordering::SeqCst);
        }
        if !request.is_statement {
            return server.write_all(&request.bytes).is_ok();
        }
        let n = self.statements.fetch_add(1, Ordering::SeqCst) + 1;
        let mut planned = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = planned.take_if(|(at, _)| *at == n).map(|(_, fault)| fault);
        drop(planned);
        match fault {
            None => server.write_all(&request.bytes).is_ok(),
            Some(Fault::Conflict) => {
                has_answered.store(true, Ordering::SeqCst);
                client.write_all(CONFLICT).is_ok()
            }
            Some(Fault::CutBefore) => false,
            Some(Fault::CutDuring) => {
                let _ = server.write_all(&request.bytes[..request.bytes.len() / 2]);
                false
            }
            Some(Fault::CutAfter) => {
                is_cut.store(true, Ordering::SeqCst);
                let _ = server.write_all(&request.bytes);
                false
            }
        }
    }
}

fn end(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// An error with the code of a serialization failure, and the end of the answer.
const CONFLICT: &[u8] = b"E\0\0\0\x23SERROR\0C40001\0Mtest of a race\0\0Z\0\0\0\x05I";

/// The bytes that a client sends before it waits for an answer.
struct Request {
    bytes: Vec<u8>,
    is_statement: bool,
}

struct Requests<'a> {
    client: &'a TcpStream,
    is_started: bool,
}

impl Requests<'_> {
    /// Reads messages up to one that asks for an answer.
    fn next(&mut self) -> Option<Request> {
        let mut bytes = Vec::new();
        loop {
            let start = bytes.len();
            // The first message has no type.
            let kind = if self.is_started { self.read(&mut bytes, 1)?[0] } else { 0 };
            let len: [u8; 4] = self.read(&mut bytes, 4)?.try_into().unwrap();
            self.read(&mut bytes, u32::from_be_bytes(len) as usize - 4)?;
            match kind {
                0 => {
                    self.is_started = true;
                    return Some(Request { bytes, is_statement: false });
                }
                b'p' | b'X' => return Some(Request { bytes, is_statement: false }),
                // A statement, or the end of a sequence of messages. A lone `Close` is no statement.
                b'Q' | b'S' => {
                    let is_statement = kind == b'Q' || start > 0 && bytes[0] != b'C';
                    return Some(Request { bytes, is_statement });
                }
                _ => {}
            }
        }
    }

    fn read<'b>(&mut self, bytes: &'b mut Vec<u8>, count: usize) -> Option<&'b [u8]> {
        let start = bytes.len();
        bytes.resize(start + count, 0);
        self.client.read_exact(&mut bytes[start..]).ok()?;
        Some(&bytes[start..])
    }
}
