//! A connection that outlives its request, for another protocol than HTTP.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// The last step to a connection: keeps the connection when the HTTP library drops it.
///
/// The library drops a connection after an answer with the status 101. Bytes that arrived after the headers of the
/// answer are still in the buffer of the connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<Box<dyn Transport>>>>);

impl Kept {
    /// Takes the connection, if there is one.
    pub(crate) fn take(&self) -> Option<Box<dyn Transport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<In: Transport> Connector<In> for Kept {
    type Out = Keeping;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Keeping>, ureq::Error> {
        Ok(chained.map(|transport| Keeping { transport: Box::new(transport), kept: self.clone() }))
    }
}

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Keeping {
    transport: Box<dyn Transport>,
    kept: Kept,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        // The unit type is the transport of no connection. It is not used: this value ends here.
        let transport = mem::replace(&mut self.transport, Box::new(()));
        *self.kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(transport);
    }
}

impl Transport for Keeping {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}
