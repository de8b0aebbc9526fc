//! The commands that are stopped.

use super::judge::torture;
use super::look::Part;
use super::prepared::{MARKER, damaged_database, damaged_record, damaged_root, history};
use super::scenario::on;
use crate::common::TestRepo;

macro_rules! scenarios {
    ($($name:ident = $scenario:expr;)*) => {
        $(
            #[test]
            fn $name() {
                torture(stringify!($name), &$scenario);
            }
        )*
    };
}

scenarios! {
    put = on(history, "put com.example.note/new record.json");
    overwrite = on(history, "put com.example.note/a record.json");
    rm = on(history, "rm com.example.note/b");
    rm_collection = on(history, "rm com.example.note --yes");
    apply = on(history, "apply writes.ndjson");
    apply_in_batches = on(history, "apply writes.ndjson --batch 4").has_steps();
    edit = on(history, "edit com.example.note/a").env("EDITOR", "cp record.json");
    revert = on(history, "revert HEAD~1");
    merge_ref = on(history, "merge draft-two");
    merge_car = on(history, "merge phone.car");

    import = on(history, "import newer.car");
    import_to_ref = on(history, "import newer.car --ref phone");
    reset = on(history, "reset HEAD~2");
    reset_to_car = on(history, "reset newer.car");
    ref_set = on(history, "ref set new HEAD~1");
    ref_rm = on(history, "ref rm draft-one");

    forget_record = on(history, "forget com.example.note/a --yes");
    forget_with_blob = on(history, "forget com.example.note/secret --yes").after(is_forgotten);
    forget_before = on(history, "forget --before HEAD~2 --yes");
    gc = on(history, "gc --grace 0").and(Part::Blobs("alice"));
    gc_keep = on(history, "gc --keep 2").after(|repo| {
        assert_eq!(repo.json_lines(["reflog"]).len(), 2);
    });

    key_rotate = on(history, "key rotate").after(has_one_key);
    key_rotate_discard = on(history, "key rotate --discard-old --yes").after(has_one_key);
    key_new = on(history, "key new new.key").without_option().and(Part::Key("new.key"));
    key_import = on(history, "-R mirror key import alice/key").without_option().makes("mirror")
        .with_key().and(Part::Key("mirror/key"));

    blob_put = on(history, "blob put -").stdin("a new blob").and(Part::Blobs("alice"));
    blob_put_two = on(history, "blob put one.txt two.txt").and(Part::Blobs("alice")).has_steps();
    blob_export = on(history, "blob export out").and(Part::Directory("out")).has_steps();

    repair_record = on(damaged_record, "repair --from good.car")
        .and(Part::Findings("alice")).starts_broken().has_steps();
    repair_root = on(damaged_root, "repair --from good")
        .and(Part::Findings("alice")).starts_broken().has_steps();
    repair_rebuild = on(damaged_record, "repair --rebuild").checks(&[])
        .and(Part::Findings("alice")).starts_broken().has_steps();
    repair_database = on(damaged_database, "repair --here")
        .and(Part::Findings("alice")).starts_broken().has_steps();

    clone_car = on(history, "clone newer.car copy").without_option().makes("copy")
        .checks(&["--history"]);
    clone_directory = on(history, "clone alice copy --with-key").without_option().makes("copy")
        .with_key();
    clone_into_empty = on(history, "clone alice empty --with-key").without_option().makes("empty")
        .with_key();
    init = on(history, "init new --did did:web:alice.example.com").without_option().makes("new")
        .with_key();
    init_in_empty = on(history, "init empty --did did:web:alice.example.com --key spare.key")
        .without_option().makes("empty").with_key();

    export_car = on(history, "export -o out.car --force").and(Part::File("out.car"));
    export_new_car = on(history, "export -o new.car").and(Part::File("new.car"));
    export_history = on(history, "export --history -o new.car").and(Part::File("new.car"));
    export_ndjson = on(history, "export --format ndjson -o out.car --force")
        .and(Part::File("out.car"));
    export_csv = on(history, "export --format csv -o tables").and(Part::Directory("tables"))
        .has_steps();
    unpack = on(history, "unpack out").and(Part::Directory("out")).then("unpack then")
        .has_steps();
    recover = on(history, "recover cut.car out").without_option().and(Part::Directory("out"))
        .has_steps().then("recover cut.car then");
    recover_car = on(history, "recover cut.car -o new.car").without_option()
        .and(Part::File("new.car"));
    prove = on(history, "prove com.example.note/b -o new.car").and(Part::File("new.car"));
}

/// Checks that no file of the repository has the record or the blob.
fn is_forgotten(repo: &TestRepo) {
    let found = repo.pds(["get", "com.example.note/secret"]).ended();
    assert_eq!(found.code(), 1, "{}", found.text());
    let found = repo.home.files_with("alice", MARKER);
    assert!(found.is_empty(), "{found:?} still have the record");
}

/// Checks that the key file has signed the present commit, and that at most one other file has the old secret.
fn has_one_key(repo: &TestRepo) {
    let names = repo.home.list("alice");
    assert!(!names.contains(&"key.next".to_owned()), "a key is left over");
    let key = repo.pds(["key", "show"]).ok();
    repo.pds(["verify", "--key", key.trim()]).ok();
    let old = history().read("alice/key");
    let has_it = |name: &&String| repo.home.read(&format!("alice/{name}")) == old;
    let with_secret = names.iter().filter(|name| name.starts_with("key")).filter(has_it);
    assert!(with_secret.count() <= 1, "several files have the old secret: {names:?}");
}
