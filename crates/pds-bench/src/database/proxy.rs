//! A proxy in front of the server: it delays what the client sends, and counts round trips.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::Result;

/// A proxy with a delay for each round trip, which may be zero.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    trips: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) fn start(server: u16, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let trips = Arc::<AtomicU64>::default();
        let counted = trips.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                if let Err(error) = connect(client, server, delay, &counted) {
                    eprintln!("the proxy cannot connect: {error}");
                }
            }
        });
        Ok(Self { port, trips })
    }

    /// Returns the number of round trips so far.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::SeqCst)
    }
}

/// Starts the threads of a connection: one for the answers, two for the requests. The bytes of a
/// request wait in a queue, so that a delay is a latency and no limit on the throughput.
fn connect(
    client: TcpStream,
    server: u16,
    delay: Duration,
    trips: &Arc<AtomicU64>,
) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // Whether the server has answered since the client last sent something.
    let has_answered = Arc::new(AtomicBool::new(true));
    let (answers, to_client) = (server.try_clone()?, client.try_clone()?);
    let answered = has_answered.clone();
    spawn(move || {
        copy(&answers, |bytes| {
            answered.store(true, Ordering::SeqCst);
            (&to_client).write_all(bytes)
        });
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (send, receive) = channel::<(Instant, Vec<u8>)>();
    let trips = trips.clone();
    spawn(move || {
        copy(&client, |bytes| {
            if has_answered.swap(false, Ordering::SeqCst) {
                trips.fetch_add(1, Ordering::SeqCst);
            }
            let due = Instant::now() + delay;
            send.send((due, bytes.to_vec())).map_err(io::Error::other)
        });
    });
    spawn(move || {
        for (due, bytes) in receive {
            sleep(due.saturating_duration_since(Instant::now()));
            if (&server).write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Passes all bytes of a connection on, until one of the ends is closed.
fn copy(mut from: &TcpStream, mut write: impl FnMut(&[u8]) -> io::Result<()>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if write(&buffer[..count]).is_err() {
            break;
        }
    }
}
