//! Processes that are killed during a stream of changes: the server, and the client.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pds_postgres::address::Address;
use pds_postgres::store::PostgresStore;
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::store::Store;

use crate::server::{Server, shared};
use crate::support::{assert_steps, long_step, named_did, new_did, step};

/// Every third step is a transaction of several statements, the others are one statement.
fn next(n: u32) -> Change<'static> {
    if n.is_multiple_of(3) { long_step(n) } else { step(n) }
}

/// A time that differs from run to run.
fn some_time(most: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    most * (now.subsec_micros() % 1_000) / 1_000
}

/// Applies steps until one fails. Returns the number of the last acknowledged one.
fn write_until_an_error(store: &PostgresStore, mut last: u32) -> (u32, StoreError) {
    loop {
        match store.apply(next(last + 1)) {
            Ok(_) => last += 1,
            Err(error) => return (last, error),
        }
    }
}

/// Checks the steps of a store. The last acknowledged step and those before it must be stored, and
/// the step after it may be.
fn assert_kept(address: &Address, store: &PostgresStore, acknowledged: u32) -> u32 {
    let stored = assert_steps(store);
    assert!(
        (acknowledged..=acknowledged + 1).contains(&stored),
        "{address}: step {acknowledged} was acknowledged, {stored} is stored"
    );
    stored
}

#[test]
fn a_server_that_is_killed_keeps_what_it_has_acknowledged() {
    let Some(mut server) = Server::start(&[]) else { return };
    let address = server.database();
    let stores = [(); 3].map(|()| PostgresStore::create(&address, &new_did()).unwrap());
    let mut last = [0; 3];
    for _ in 0..6 {
        last = thread::scope(|scope| {
            let writers = [0, 1, 2].map(|n| {
                let (store, last) = (&stores[n], last[n]);
                scope.spawn(move || write_until_an_error(store, last))
            });
            thread::sleep(Duration::from_millis(20) + some_time(Duration::from_millis(300)));
            server.kill();
            let ended = writers.map(|writer| writer.join().unwrap());
            for (_, error) in &ended {
                let StoreError::Backend(why) = error else { panic!("{error:?}") };
                assert!(
                    has_io_cause(&**why),
                    "a lost connection is distinguished from a refusal: {why:?}"
                );
            }
            ended.map(|(last, _)| last)
        });
        server.run();
        for (store, last) in stores.iter().zip(&mut last) {
            // The handle connects again by itself.
            *last = assert_kept(&address, store, *last);
        }
    }
    assert!(last.iter().all(|last| *last > 6), "{last:?}");
}

fn has_io_cause(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<std::io::Error>() || error.source().is_some_and(has_io_cause)
}

/// The variable that makes the test a client that is killed. It has the address.
const CLIENT: &str = "PDS_POSTGRES_TEST_CLIENT";

#[test]
fn a_client_that_is_killed_leaves_whole_changes() {
    let did = named_did("killed");
    if let Ok(address) = std::env::var(CLIENT) {
        let store = PostgresStore::open(&address.parse().unwrap(), &did).unwrap();
        let first = assert_steps(&store) + 1;
        for n in first.. {
            store.apply(next(n)).unwrap();
            println!("\nstep {n}");
            std::io::stdout().flush().unwrap();
        }
    }
    let Some(server) = shared() else { return };
    let address = server.database();
    let store = PostgresStore::create(&address, &did).unwrap();
    let mut sessions = Sessions::of(server.client(&address));
    let mut last = 0;
    for _ in 0..8 {
        sessions.note();
        let mut client = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::a_client_that_is_killed_leaves_whole_changes", "--nocapture"])
            .env(CLIENT, address.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(client.stdout.take().unwrap()).lines();
        let mut steps =
            lines.map_while(|line| Some(line.ok()?.strip_prefix("step ").map(str::to_owned)));
        let first = steps.by_ref().flatten().next().expect("the client writes");
        thread::sleep(some_time(Duration::from_millis(100)));
        client.kill().unwrap();
        client.wait().unwrap();
        let acknowledged = steps.flatten().last().unwrap_or(first).parse().unwrap();
        assert!(acknowledged > last);
        // The server may still work on the last statement of the client.
        sessions.wait_for_the_end_of_others();
        last = assert_kept(&address, &store, acknowledged);
    }
}

/// The sessions of a database, seen by one of them.
struct Sessions {
    client: postgres::Client,
    noted: Vec<i32>,
}

impl Sessions {
    fn of(client: postgres::Client) -> Self {
        Self { client, noted: Vec::new() }
    }

    fn present(&mut self) -> Vec<i32> {
        let sql = "SELECT pid FROM pg_stat_activity \
            WHERE datname = current_database() AND backend_type = 'client backend'";
        self.client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    fn note(&mut self) {
        self.noted = self.present();
    }

    /// Waits until only sessions that were noted are left.
    fn wait_for_the_end_of_others(&mut self) {
        let started = Instant::now();
        while self.present().iter().any(|pid| !self.noted.contains(pid)) {
            assert!(started.elapsed() < PATIENCE, "a session of a killed client does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
