//! How large is `Repo`?

use crate::tree::{Tree, tree};
use crate::violation::{Violation, hold};

/// The methods that users see, the methods with the private ones, and the files with an `impl Repo`: `repo.rs`,
/// `write.rs` and `local/directory.rs`, which makes a `Repo` in a directory.
const MOST: [(&str, usize); 3] = [("public methods", 33), ("methods", 60), ("files", 3)];

#[test]
fn repo_is_small() {
    hold("repo", violations(tree()));
}

fn violations(tree: &Tree) -> Vec<Violation> {
    let found = sizes(tree);
    assert!(found[1] > 0, "no `impl Repo` in the crate pds");
    let too_large = MOST.iter().zip(found).filter(|((_, most), found)| found > most);
    let violation = |((what, most), found): (&(&str, usize), usize)| Violation {
        key: format!("Repo {what}"),
        detail: format!("Repo has {found} {what}, at most {most}"),
    };
    too_large.map(violation).collect()
}

fn sizes(tree: &Tree) -> [usize; 3] {
    let pds = tree.crates.iter().find(|one| one.name == "pds").expect("a crate pds");
    let mut sizes = [0; 3];
    for file in &pds.files {
        let is_of_repo = |owner: &Option<String>| owner.as_deref() == Some("Repo");
        let functions = file.source.functions.iter();
        let methods: Vec<_> = functions.filter(|f| is_of_repo(&f.owner) && !f.is_test).collect();
        sizes[0] += methods.iter().filter(|method| method.is_public).count();
        sizes[1] += methods.len();
        sizes[2] += usize::from(!methods.is_empty());
    }
    sizes
}

#[test]
fn methods_of_repo_are_counted() {
    let tree = Tree::planted(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "impl Repo { pub fn a() {}\nfn b() { fn not() {} }\npub(crate) fn c() {} }"),
        (
            "b.rs",
            "impl Clone for Repo { fn clone() {} }\nimpl<'a> crate::Repo<'a> { pub fn d() {} }\n\
            impl Other { pub fn e() {} }\n#[cfg(test)]\nmod tests { impl Repo { pub fn f() {} } }",
        ),
    ]);
    assert_eq!(sizes(&tree), [2, 4, 2]);
}

#[test]
fn a_planted_repo_that_is_too_large_is_found() {
    let of = |head: &str, count: usize| {
        let methods: Vec<String> = (0..count).map(|n| format!("{head} fn f{n}() {{}}")).collect();
        format!("impl Repo {{ {} }}", methods.join("\n"))
    };
    let keys = |files: &[(&str, &str)]| -> Vec<String> {
        violations(&Tree::planted(files)).into_iter().map(|violation| violation.key).collect()
    };
    assert!(keys(&[("lib.rs", &format!("{}\n{}", of("pub", 33), of("", 27)))]).is_empty());
    assert_eq!(keys(&[("lib.rs", &of("pub", 34))]), ["Repo public methods"]);
    assert_eq!(keys(&[("lib.rs", &of("", 61))]), ["Repo methods"]);
    let (one, lib) = (of("", 1), "mod a;\nmod b;\nmod c;\nmod d;");
    let files =
        [("lib.rs", lib), ("a.rs", &*one), ("b.rs", &*one), ("c.rs", &*one), ("d.rs", &*one)];
    assert_eq!(keys(&files), ["Repo files"]);
}
