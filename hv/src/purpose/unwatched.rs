//! Nobody watches: an entry write is one store.

use crate::mm::entry::Unwatched;

/// Nobody.
pub(crate) type Watcher = Unwatched;

/// Nobody.
pub(crate) static WATCHER: Watcher = Unwatched;
