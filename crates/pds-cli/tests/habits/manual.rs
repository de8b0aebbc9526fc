//! The manual pages: their sections, and what formatters think of them.

use crate::common::Home;

#[test]
fn every_page_has_the_sections_of_a_manual() {
    let home = Home::new();
    home.pds(["man", "--dir", "pages"]).ok();
    let pages = home.list("pages");
    assert!(pages.len() > 40, "{pages:?}");
    for page in pages {
        let text = String::from_utf8(home.read(&format!("pages/{page}"))).unwrap();
        for section in
            ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "FILES", "ENVIRONMENT", "SEE ALSO"]
        {
            let quoted = format!("\n.SH \"{section}\"\n");
            let count = text.matches(&format!("\n.SH {section}\n")).count();
            let count = count + text.matches(&quoted).count();
            // The options of every command have a section of their own.
            assert!(text.is_ascii(), "{page}: formatters read no UTF-8\n{text}");
            assert!(count == 1 || section == "OPTIONS", "{page}: {section}\n{text}");
        }
        assert!(!text.contains(" \\fR]"), "{page}: a space ends the name of an option\n{text}");
        assert!(text.contains("EXAMPLES") || page == "pds.1", "{page}");
    }
    let synopsis = |page: &str| {
        let text = String::from_utf8(home.read(page)).unwrap().replace('\\', "");
        text.lines().skip_while(|line| *line != ".SH SYNOPSIS").nth(1).unwrap().to_owned()
    };
    for (verb, form) in [
        ("diff", "[OPTIONS] [STATE|PATH]... [-- <PATH>...]"),
        ("rm", "[OPTIONS] <PATHS>..."),
        ("ref-set", "[OPTIONS] <NAME> <REV>"),
    ] {
        let expected = format!("fBpds {}fR {form}", verb.replace('-', " "));
        assert_eq!(synopsis(&format!("pages/pds-{verb}.1")), expected);
    }
    assert_eq!(home.pds(["man"]).ok().into_bytes(), home.read("pages/pds.1"));
}

#[test]
fn formatters_find_no_fault() {
    let home = Home::new();
    home.pds(["man", "--dir", "pages"]).ok();
    let programs: [&[&str]; 2] =
        [&["groff", "-man", "-ww", "-z"], &["mandoc", "-T", "lint", "-W", "warning"]];
    for program in programs {
        let is_there =
            home.command("sh").args(["-c", &format!("command -v {}", program[0])]).output();
        if !is_there.is_ok_and(|it| it.status.success()) {
            eprintln!("skipped: no {} here", program[0]);
            continue;
        }
        for page in home.list("pages") {
            let mut command = home.command(program[0]);
            let output = command.args(&program[1..]).arg(format!("pages/{page}")).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            assert_eq!(String::from_utf8_lossy(&said), "", "{}: {page}", program[0]);
        }
    }
}
