//! `pds edit`: the editor of the user changes a record.

use crate::common::{Home, TestRepo};

const PATH: &str = "com.example.note/a";

/// An editor that runs a line of shell, in which `$1` is the file.
fn editor(home: &Home, line: &str) -> String {
    let path = home.write("editor", format!("#!/bin/sh\n{line}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    path
}

/// The file that an error names as the place of the text.
fn kept(said: &str) -> String {
    let (_, rest) = said.split_once("the text is kept in ").unwrap_or_else(|| panic!("{said}"));
    rest.split([':', '\n']).next().unwrap().to_owned()
}

#[test]
fn an_edit_is_one_commit_and_no_edit_is_none() {
    let repo = TestRepo::with_notes();
    let temporary = repo.home.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let edit = |line: &str| {
        let editor = editor(&repo.home, line);
        repo.pds(["edit", PATH]).env("VISUAL", editor).env("TMPDIR", &temporary)
    };
    let ended = edit("stat -c %a \"$1\" > mode; sed -i 's/\"a\"/\"edited\"/' \"$1\"").ended();
    assert!(ended.done().starts_with("at://"));
    assert_eq!(repo.json(["get", PATH])["value"]["text"], "edited");
    assert_eq!(repo.home.read("mode"), b"600\n");
    let log = repo.json_lines(["log"]);
    assert_eq!((log.len(), &log[0]["message"]), (5, &"edit".into()));
    for line in ["true", "printf ' ' >> \"$1\""] {
        let ended = edit(line).ended();
        assert_eq!(
            (ended.done(), &*ended.stderr),
            (String::new(), "unchanged: nothing was written\n")
        );
    }
    // An editor may replace the file.
    edit("sed 's/edited/replaced/' \"$1\" > \"$1.new\"; mv \"$1.new\" \"$1\"").ok();
    assert_eq!(repo.json(["get", PATH])["value"]["text"], "replaced");
    assert_eq!(repo.json_lines(["log"]).len(), 6);
    assert_eq!(repo.home.list("tmp"), Vec::<String>::new());
}

#[test]
fn an_emptied_text_ends_the_edit() {
    let repo = TestRepo::with_notes();
    for line in [": > \"$1\"", "printf ' \\n' > \"$1\""] {
        let edit = repo.pds(["edit", PATH]).env("EDITOR", editor(&repo.home, line));
        assert_eq!(edit.fails(1), "error: the text is empty, so nothing was written\n");
    }
    assert_eq!(repo.json(["get", PATH])["value"]["text"], "a");
}

#[test]
fn a_text_that_cannot_be_written_is_kept() {
    let repo = TestRepo::with_notes();
    let edit = |line: &str| repo.pds(["edit", PATH]).env("EDITOR", editor(&repo.home, line));
    let said = edit("echo '{' > \"$1\"").fails(3);
    let file = kept(&said);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\n");
    std::fs::remove_file(file).unwrap();
    let said = edit("echo x > \"$1\"; exit 3").fails(1);
    assert!(said.contains("the editor failed"), "{said}");
    std::fs::remove_file(kept(&said)).unwrap();
    // Another process changes the record while the editor is open.
    let put = "echo '{\"text\":\"other\"}' | pds -R alice put com.example.note/a > /dev/null";
    let said = edit(&format!("sed -i 's/\"a\"/\"mine\"/' \"$1\"; {put}")).fails(1);
    let file = kept(&said);
    assert!(std::fs::read_to_string(&file).unwrap().contains("mine"));
    std::fs::remove_file(file).unwrap();
    assert_eq!(repo.json(["get", PATH])["value"]["text"], "other");
    assert_eq!(repo.json_lines(["log"]).len(), 5);
    let said = repo.pds(["edit", PATH]).fails(2);
    assert!(said.contains("EDITOR=nano"), "{said}");
}

#[test]
fn a_new_record_needs_a_flag_or_an_answer() {
    let repo = TestRepo::new();
    let editor = editor(&repo.home, "sed -i 's/\"$/\",\\n  \"text\": \"new\"/' \"$1\"");
    let said = repo.pds(["edit", PATH]).env("EDITOR", &editor).fails(1);
    assert!(said.contains("no record") && said.contains("--create"), "{said}");
    repo.pds(["edit", PATH, "--create"]).env("EDITOR", &editor).ok();
    assert_eq!(repo.json(["get", PATH])["value"]["text"], "new");
}

#[test]
fn on_a_terminal_a_wrong_text_can_be_edited_again() {
    let repo = TestRepo::with_notes();
    if !repo.home.command("script").arg("--version").output().is_ok_and(|it| it.status.success()) {
        return;
    }
    let line = "if [ -e again ]; then echo '{\"text\":\"right\"}' > \"$1\"; else touch again; echo '{' > \"$1\"; fi";
    let editor = editor(&repo.home, line);
    let edit = format!("EDITOR={editor} pds -R alice edit {PATH}; echo code=$?");
    let typed = format!("(sleep 1; echo y; sleep 0.5) | TERM=xterm script -qec '{edit}' /dev/null");
    let output = repo.home.command("sh").args(["-c", &typed]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("Edit the text again?") && shown.contains("code=0"), "{shown:?}");
    assert_eq!(repo.json(["get", PATH])["value"]["text"], "right");
}

#[test]
fn a_mirror_is_refused_before_the_editor_opens() {
    let repo = TestRepo::with_notes();
    repo.home.pds(["clone", "alice", "mirror"]).ok();
    let editor = editor(&repo.home, "touch opened");
    let edit = repo.home.pds(["-R", "mirror", "edit", PATH]).env("VISUAL", editor);
    let said = edit.fails(1);
    assert!(said.ends_with("hint: import the key: pds key import FILE\n"), "{said}");
    assert!(!repo.home.dir().join("opened").exists());
}

#[test]
fn a_text_that_was_not_changed_is_not_kept() {
    let repo = TestRepo::with_notes();
    let temporary = repo.home.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    for (variable, line) in [("EDITOR", "exit 3"), ("VISUAL", "rm \"$1\"")] {
        let editor = editor(&repo.home, line);
        let edit = repo.pds(["edit", PATH]).env(variable, editor).env("TMPDIR", &temporary);
        let said = edit.ended().stderr;
        assert!(said.starts_with("error: ") && !said.contains("kept"), "{said}");
        assert_eq!(repo.home.list("tmp"), Vec::<String>::new(), "{said}");
    }
    let edit = repo.pds(["edit", PATH]).env("VISUAL", "/no/editor").env("EDITOR", "true");
    let said = edit.env("TERM", "xterm").fails(1);
    assert!(said.contains("hint: VISUAL names the editor\n"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_names_the_text() {
    let repo = TestRepo::with_notes();
    let (pid, temporary) = (repo.home.path("pid"), repo.home.path("tmp"));
    std::fs::create_dir(&temporary).unwrap();
    let line = format!(
        "echo mine > \"$1\"; until [ -s {pid} ]; do sleep 0.05; done; kill -TERM $(cat {pid}); sleep 9"
    );
    let run = repo.pds(["edit", PATH]).env("EDITOR", editor(&repo.home, &line));
    let child = run.env("TMPDIR", &temporary).start();
    repo.home.write("pid", child.id().to_string());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(143), "{said}");
    assert_eq!(std::fs::read_to_string(kept(&said)).unwrap(), "mine\n");
}
