//! A PostgreSQL server of this program: its own data in a temporary directory, and a free port of
//! the loopback.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use postgres::{Client, Config, NoTls};

/// A running server. It ends, and its data is removed, when the program ends in any way: a shell
/// process holds it, and waits for the end of its input.
pub(crate) struct Server {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    keeper: Option<(Child, ChildStdin)>,
}

impl Server {
    /// Makes a server, and waits until it answers.
    pub(crate) fn start() -> Result<Self> {
        let bin = binaries()?;
        let dir = tempfile::Builder::new().prefix("pds-bench-").tempdir()?.keep();
        let data = dir.join("data");
        fs::create_dir(&data)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
        if let Some((user, group)) = other_user()? {
            for dir in [&dir, &data] {
                chown(dir, Some(user), Some(group))?;
            }
        }
        let mut initdb = as_user(&bin.join("initdb"))?;
        initdb.args(["-A", "trust", "-U", USER, "-E", "UTF8", "-D"]).arg(&data);
        let made = initdb.current_dir(&dir).stdin(Stdio::null()).output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = as_user(&bin.join("postgres"))?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&dir).arg(server.get_program());
        keeper.args(server.get_args()).arg("-D").arg(&data).arg("-k").arg(&dir);
        keeper.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        keeper.args(["-c", "fsync=on", "-c", "max_connections=200"]);
        let mut keeper = keeper.current_dir("/").stdin(Stdio::piped()).spawn()?;
        let input = keeper.stdin.take().context("the shell has no input")?;
        let server = Self { dir, port, keeper: Some((keeper, input)) };
        let start = Instant::now();
        while let Err(error) = server.client() {
            let log = fs::read_to_string(server.dir.join("log")).unwrap_or_default();
            ensure!(start.elapsed() < Duration::from_secs(60), "{error:?}\n{log}");
            sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Connects as an ordinary client.
    pub(crate) fn client(&self) -> Result<Client> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(USER).dbname(DATABASE);
        Ok(config.connect(NoTls)?)
    }

    /// Returns a setting as the server reports it.
    pub(crate) fn setting(&self, name: &str) -> Result<String> {
        let row = self.client()?.query_one("SELECT current_setting($1)", &[&name])?;
        Ok(row.try_get(0)?)
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

/// Returns the directory of the programs: `PDS_POSTGRES_BIN`, or that of the newest version.
fn binaries() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("PDS_POSTGRES_BIN") {
        return Ok(PathBuf::from(named));
    }
    let missing = "PostgreSQL is not installed (set PDS_POSTGRES_BIN to its programs)";
    let installed = fs::read_dir("/usr/lib/postgresql").context(missing)?.flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = installed.map(|entry| entry.path()).max_by_key(number);
    Ok(newest.context(missing)?.join("bin"))
}

/// Returns the user and group that the server runs as, because it refuses to run as root.
fn other_user() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |at: usize, value: &str| {
        let line = users.lines().find(|line| line.split(':').nth(at) == Some(value))?;
        let mut numbers = line.split(':').skip(2).map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    let user = find(0, "postgres").or_else(|| find(2, UNPRIVILEGED));
    Ok(Some(user.context("no ordinary user")?))
}

fn as_user(program: &Path) -> Result<Command> {
    let Some((user, group)) = other_user()? else { return Ok(Command::new(program)) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}")]);
    command.arg("--clear-groups").arg(program);
    Ok(command)
}

const KEEPER: &str = r#"dir=$1; shift
    "$@" </dev/null >>"$dir/log" 2>&1 &
    read -r _
    kill -QUIT $!; wait $!; rm -rf "$dir""#;

/// The number of the user without rights.
const UNPRIVILEGED: &str = "65534";

pub(crate) const USER: &str = "pds";
pub(crate) const DATABASE: &str = "postgres";
