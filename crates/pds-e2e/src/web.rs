//! Identities of did:web.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::liar::proxy::Liar;
use crate::liar::rule::{Canned, Lie, Rule};

/// An identity of did:web, whose document a server of its own has.
#[derive(Debug)]
pub struct WebIdentity {
    /// The DID, which names the port of the server.
    pub did: String,
    document: Arc<Mutex<Json>>,
    server: Liar,
}

impl WebIdentity {
    /// Starts the server. The document is empty.
    #[expect(clippy::new_without_default, reason = "it starts a server")]
    pub fn new() -> Self {
        let document: Arc<Mutex<Json>> = Arc::default();
        // The server has no host behind it, because it answers each request itself.
        let server = Liar::before("http://localhost:1");
        let port = server.url().rsplit(':').next().unwrap();
        let did = format!("did:web:localhost%3A{port}");
        let shown = document.clone();
        let respond = move |_: &str| Canned {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: shown.lock().unwrap().to_string().into_bytes(),
        };
        server.add(Rule::every("", Lie::Respond(Arc::new(respond))));
        Self { did, document, server }
    }

    /// Names a handle, a host, and a signing key as multikey.
    pub fn name(&self, handle: &str, host: &str, key: &str) {
        let did = &self.did;
        *self.document.lock().unwrap() = json!({
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": did,
            "alsoKnownAs": [format!("at://{handle}")],
            "verificationMethod": [{
                "id": format!("{did}#atproto"),
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": key,
            }],
            "service": [{
                "id": "#atproto_pds",
                "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": host,
            }],
        });
    }

    /// Changes the document.
    pub fn change(&self, change: impl FnOnce(&mut Json)) {
        change(&mut self.document.lock().unwrap());
    }

    /// Returns how often the document was read.
    pub fn reads(&self) -> usize {
        self.server.seen("").len()
    }
}
