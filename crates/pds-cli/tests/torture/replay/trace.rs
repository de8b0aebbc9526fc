//! The text of `strace -f -y -xx`, read into calls.

use std::collections::HashMap;

/// A call that has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    /// Negative for an error; 0 if the call has no result.
    pub(super) result: i64,
}

/// Reads the calls of a trace, in the order of their returns.
pub(super) fn calls(trace: &str) -> Result<Vec<Call>, String> {
    let (mut unfinished, mut calls) = (HashMap::new(), Vec::new());
    for line in trace.lines() {
        let malformed = || format!("not a line of a trace: {}", start_of(line));
        let (thread, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let rest = rest.trim_start();
        if rest.starts_with("+++ ") || rest.starts_with("--- ") {
            continue;
        }
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            // Another thread may get the same number from a call that returns earlier.
            if start.starts_with("close(") {
                calls.push(Call::read(&format!("{start}) = 0"))?);
            }
            unfinished.insert(thread, start);
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, end) = resumed.split_once(" resumed>").ok_or_else(malformed)?;
            let start = unfinished.remove(thread).ok_or_else(malformed)?;
            if !start.starts_with("close(") {
                calls.push(Call::read(&format!("{start}{end}"))?);
            }
        } else {
            calls.push(Call::read(rest)?);
        }
    }
    // The end of the process interrupts the calls of its other threads.
    for start in unfinished.into_values() {
        let (name, _) = start.split_once('(').unwrap_or((start, ""));
        if CHANGES.iter().any(|part| name.contains(part)) {
            return Err(format!("a call did not return: {}", start_of(start)));
        }
    }
    Ok(calls)
}

impl Call {
    fn read(text: &str) -> Result<Self, String> {
        let malformed = || format!("not a call: {}", start_of(text));
        let (name, rest) = text.split_once('(').ok_or_else(malformed)?;
        let (args, rest) = arguments(rest).ok_or_else(malformed)?;
        let result = rest.trim_start().strip_prefix("= ").ok_or_else(malformed)?;
        Ok(Self { name: name.to_owned(), args, result: number(result).ok_or_else(malformed)? })
    }

    /// The argument at an index, as it is written.
    pub(super) fn arg(&self, index: usize) -> Result<&str, String> {
        let arg = self.args.get(index).map(String::as_str);
        arg.ok_or_else(|| format!("{} has no argument {index}", self.name))
    }

    /// A number, such as an offset.
    pub(super) fn number(&self, index: usize) -> Result<u64, String> {
        let number = self.arg(index)?.parse().ok();
        number.ok_or_else(|| format!("{}: not a number: {:?}", self.name, self.args))
    }

    /// The permission bits of a new file.
    pub(super) fn mode(&self, index: usize) -> Result<u32, String> {
        let mode = u32::from_str_radix(self.arg(index)?, 8).ok();
        mode.ok_or_else(|| format!("{}: not a mode: {:?}", self.name, self.args))
    }

    /// A descriptor; `None` for the current directory.
    pub(super) fn descriptor(&self, index: usize) -> Result<Option<i64>, String> {
        let arg = self.arg(index)?;
        if arg.starts_with("AT_FDCWD") {
            return Ok(None);
        }
        let number = arg.split('<').next().and_then(|number| number.parse().ok());
        number.map(Some).ok_or_else(|| format!("{}: not a descriptor: {arg}", self.name))
    }

    /// The bytes of a string.
    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>, String> {
        decoded(self.arg(index)?)
    }

    /// The text of a string, such as a path.
    pub(super) fn text(&self, index: usize) -> Result<String, String> {
        String::from_utf8(self.bytes(index)?).map_err(|error| format!("{}: {error}", self.name))
    }

    /// The bytes of a list of buffers.
    pub(super) fn buffers(&self, index: usize) -> Result<Vec<u8>, String> {
        let list = self.arg(index)?;
        let parts = list.split("iov_base=").skip(1);
        let decoded: Result<Vec<_>, _> =
            parts.map(|part| decoded(part.split(',').next().unwrap_or_default())).collect();
        Ok(decoded?.concat())
    }
}

/// Splits the arguments of a call at the commas between them. Returns them with the rest of the line.
fn arguments(text: &str) -> Option<(Vec<String>, &str)> {
    let (mut args, mut start, mut at, mut depth) = (Vec::new(), 0, 0, 0_usize);
    loop {
        match text.as_bytes().get(at)? {
            b'"' => at += 1 + text[at + 1..].find('"')?,
            b'<' => at += text[at..].find('>')?,
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => break,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                args.push(text[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let last = text[start..at].trim();
    args.extend((!last.is_empty()).then(|| last.to_owned()));
    Some((args, &text[at + 1..]))
}

/// Reads a result: `0`, `-1 ENOENT (…)`, `3</path>`, `0x7f…`, or `?`.
fn number(text: &str) -> Option<i64> {
    let word = text.split([' ', '<']).next()?;
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(u64::cast_signed),
        None if word == "?" => Some(0),
        None => word.parse().ok(),
    }
}

/// Decodes a string whose every byte is written as `\x..`. A string that was cut is an error.
fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("not a whole string: {}", start_of(text));
    let digits =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(wrong)?;
    let byte = |escaped: &[u8]| {
        let digits = std::str::from_utf8(escaped).ok()?.strip_prefix("\\x")?;
        u8::from_str_radix(digits, 16).ok()
    };
    digits.as_bytes().chunks(4).map(|escaped| byte(escaped).ok_or_else(wrong)).collect()
}

fn start_of(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Parts of the names of calls that change a disk.
const CHANGES: [&str; 11] = [
    "allocate", "copy", "link", "mkdir", "open", "rename", "rmdir", "send", "sync", "truncate",
    "write",
];

#[test]
fn calls_are_read() {
    let trace = "7 openat(AT_FDCWD<\\x2f>, \"\\x61\", O_RDWR|O_CREAT, 0600) = 3<\\x2f\\x61>\n\
        7 write(3<\\x2f\\x61>,  <unfinished ...>\n\
        8 stat(\"\\x61\", 0x7f) = -1 ENOENT (No such file (or directory))\n\
        7 <... write resumed>\"\\x22\\x2c\", 2)  = 2\n\
        7 writev(1<pipe:[5]>, [{iov_base=\"\\x61\", iov_len=1}, {iov_base=\"\", iov_len=0}], 2) = 1\n\
        7 exit_group(0) = ?\n7 +++ exited with 0 +++\n";
    let calls = calls(trace).unwrap();
    let names: Vec<_> = calls.iter().map(|call| (&*call.name, call.result)).collect();
    let expected = [("openat", 3), ("stat", -1), ("write", 2), ("writev", 1), ("exit_group", 0)];
    assert_eq!(names, expected);
    assert_eq!((calls[0].text(1).unwrap(), calls[0].mode(3).unwrap()), ("a".to_owned(), 0o600));
    assert_eq!(calls[2].number(2), Ok(2));
    assert_eq!((calls[0].descriptor(0), calls[2].descriptor(0)), (Ok(None), Ok(Some(3))));
    assert_eq!(
        (calls[2].bytes(1).unwrap(), calls[3].buffers(1).unwrap()),
        (b"\",".into(), b"a".into())
    );
}

#[test]
fn a_descriptor_is_free_as_soon_as_its_close_begins() {
    let trace = "7 close(3<\\x61> <unfinished ...>\n\
        8 openat(AT_FDCWD<\\x2f>, \"\\x61\", O_RDONLY) = 3<\\x61>\n\
        7 <... close resumed>) = 0\n9 mmap(NULL,  <unfinished ...>\n";
    let names: Vec<String> = calls(trace).unwrap().into_iter().map(|call| call.name).collect();
    assert_eq!(names, ["close", "openat"]);
}

#[test]
fn lines_that_are_cut_are_refused() {
    for line in ["7 write(3, \"\\x61\"", "7", "7 write(3, \"a\") 5", "7 fsync(3 <unfinished ...>"] {
        assert!(calls(line).is_err(), "{line}");
    }
    assert!(decoded("\"\\x61\"...").is_err());
}
