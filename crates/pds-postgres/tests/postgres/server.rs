//! A PostgreSQL server of the tests: its own data in a temporary directory, a free port of the
//! loopback, and an end together with the test process.
//!
//! A shell process starts the server and waits for the end of its input, which the test process
//! holds open. So the server ends however the test process ends.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pds_postgres::address::Address;

/// The server that the tests of this process share, or `None` if PostgreSQL is not installed.
///
/// With `PDS_POSTGRES_REQUIRED` set, it must be installed.
pub(crate) fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[])).as_ref()
}

/// A running server.
pub(crate) struct Server {
    bin: PathBuf,
    dir: PathBuf,
    pub(crate) port: u16,
    settings: Vec<String>,
    keeper: Option<(Child, ChildStdin)>,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Starts a server with some settings.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        let Some(bin) = binaries() else {
            assert!(
                std::env::var_os("PDS_POSTGRES_REQUIRED").is_none(),
                "PostgreSQL is not installed, and PDS_POSTGRES_REQUIRED is set"
            );
            eprintln!(
                "not run: PostgreSQL is not installed (set PDS_POSTGRES_BIN to its programs)"
            );
            return None;
        };
        let dir = tempfile::Builder::new().prefix("pds-postgres-").tempdir().unwrap().keep();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let data = dir.join("data");
        fs::create_dir(&data).unwrap();
        if let Some((user, group)) = other_user() {
            for dir in [&dir, &data] {
                std::os::unix::fs::chown(dir, Some(user), Some(group)).unwrap();
            }
        }
        let mut initdb = as_user(&bin, "initdb");
        initdb.args(["-A", "trust", "-U", "pds", "-E", "UTF8", "--no-sync", "-D"]).arg(&data);
        let made = initdb.current_dir(&dir).stdin(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self { bin, dir, port, settings, keeper: None };
        server.run();
        Some(server)
    }

    /// Starts the program, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let server = as_user(&self.bin, "postgres");
        // The keeper removes the directory only when its input ends without a line. It waits for a
        // killed server, because the next one does not start while the process has an entry.
        let script = r#"dir=$1; shift
            "$@" </dev/null >>"$dir/log" 2>&1 &
            echo $! >"$dir/pid"
            if read -r _; then wait $!; exit 0; fi
            kill -QUIT $!; wait $!; rm -rf "$dir""#;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", script, "keeper"]).arg(&self.dir).arg(server.get_program());
        keeper.args(server.get_args()).arg("-D").arg(self.dir.join("data"));
        keeper.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        keeper.args(["-c", "fsync=on", "-c", "max_connections=200", "-k"]).arg(&self.dir);
        keeper.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        keeper.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut keeper = keeper.current_dir("/").stdin(Stdio::piped()).spawn().unwrap();
        let input = keeper.stdin.take().unwrap();
        self.keeper = Some((keeper, input));
        let start = Instant::now();
        while let Err(error) = self.config("postgres").connect(postgres::NoTls) {
            let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "{error:?}\n{log}");
            sleep(Duration::from_millis(20));
        }
    }

    fn config(&self, database: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("pds").dbname(database);
        config
    }

    /// Connects to a database as an ordinary client.
    pub(crate) fn client(&self, address: &Address) -> postgres::Client {
        let text = address.to_string();
        let database = text.rsplit('/').next().unwrap().split('#').next().unwrap();
        self.config(database).connect(postgres::NoTls).unwrap()
    }

    /// Makes an empty database.
    pub(crate) fn database(&self) -> Address {
        let name = format!("d{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut client = self.config("postgres").connect(postgres::NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.address(&name, self.port)
    }

    /// Returns the address of a database behind a port.
    pub(crate) fn address(&self, database: &str, port: u16) -> Address {
        format!("postgres://pds@127.0.0.1:{port}/{database}").parse().unwrap()
    }

    /// Returns the address of a database behind the socket of the server.
    pub(crate) fn socket(&self, database: &str) -> Address {
        let directory = self.dir.display();
        format!("postgres://pds@:{}/{database}?host={directory}", self.port).parse().unwrap()
    }

    /// Kills all processes of the server at once.
    pub(crate) fn kill(&mut self) {
        let pid = fs::read_to_string(self.dir.join("pid")).unwrap().trim().to_owned();
        let children = children(&pid);
        for pid in std::iter::once(&pid).chain(&children) {
            // A child may have ended.
            let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
        }
        let (mut keeper, mut input) = self.keeper.take().unwrap();
        input.write_all(b"keep the directory\n").unwrap();
        keeper.wait().unwrap();
        // The next server does not start as long as a process of this one uses its memory.
        while children.iter().chain([&pid]).any(|pid| is_running(pid)) {
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((mut keeper, input)) = self.keeper.take() {
            drop(input);
            let _ = keeper.wait();
        }
    }
}

fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Returns the processes whose parent is a process.
fn children(parent: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| entry.file_name().into_string().ok());
    let is_child = |pid: &String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(parent)
    };
    all.filter(|pid| pid.bytes().all(|b| b.is_ascii_digit())).filter(is_child).collect()
}

/// Returns the directory of the programs: `PDS_POSTGRES_BIN`, or that of the newest version.
fn binaries() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PDS_POSTGRES_BIN") {
        return Some(PathBuf::from(named));
    }
    let installed = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = installed.map(|entry| entry.path()).max_by_key(number)?.join("bin");
    newest.join("postgres").is_file().then_some(newest)
}

/// Returns the user and group that the server runs as, because it refuses to run as root.
fn other_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
        Some((numbers.next()?, numbers.next()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).unwrap())
}

fn as_user(bin: &Path, program: &str) -> Command {
    let program = bin.join(program);
    let mut command = match other_user() {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}")]);
            command.arg("--clear-groups").arg(program);
            command
        }
    };
    command.env("LD_LIBRARY_PATH", bin.join("../lib"));
    command
}
