//! Numbers in JSON: stored unchanged, or refused.

use crate::common::TestRepo;

#[test]
fn a_number_that_is_no_integer_is_never_stored_as_another() {
    let repo = TestRepo::new();
    for number in ["9007199254740990.7", "0.99999999999999999999", "1e-400", "-1e-400", "1.5"] {
        let said =
            repo.pds(["put", "com.example.note/a"]).stdin(format!("{{\"a\":{number}}}")).fails(3);
        assert!(said.contains("a number that is not an integer"), "{number}: {said}");
        let line = format!(
            "{{\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":\"a\",\
             \"value\":{{\"a\":{number}}}}}"
        );
        let said = repo.pds(["apply"]).stdin(line).fails(3);
        assert!(said.contains("a number that is not an integer"), "{number}: {said}");
    }
    let said =
        repo.pds(["put", "com.example.note/a"]).stdin("{\"a\":99999999999999999999999}").fails(3);
    assert!(said.contains("a number that is too large"), "{said}");
    repo.pds(["put", "com.example.note/a"]).stdin("{\"a\":[1e3,-2.50e1,0.0]}").ok();
    assert_eq!(repo.json(["get", "com.example.note/a"])["value"]["a"].to_string(), "[1000,-25,0]");
}
