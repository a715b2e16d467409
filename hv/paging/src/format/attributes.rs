//! What a leaf grants, in words that hold for every architecture.
//!
//! Never says how a format spells it.

/// Kind of memory behind a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Memory {
    /// RAM: write-back cacheable, coherent between CPUs.
    Normal,
    /// Device registers: uncached, in order, never executable.
    Device,
}

/// What the hypervisor may do. Nothing is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostAccess {
    /// Read and execute.
    Execute,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
}

/// A leaf of the hypervisor's own tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostAttributes {
    /// What may be done.
    pub access: HostAccess,
    /// With what kind of memory.
    pub memory: Memory,
}

impl HostAttributes {
    /// `access` to `memory`.
    pub const fn new(access: HostAccess, memory: Memory) -> Self {
        Self { access, memory }
    }

    /// Whether a format grants this: device memory is never executable.
    pub const fn is_allowed(self) -> bool {
        match self.memory {
            Memory::Normal => true,
            Memory::Device => !matches!(self.access, HostAccess::Execute),
        }
    }
}

/// What a guest may do with its memory, whatever its own tables add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GuestAccess {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
    /// Everything: the guest's own tables decide.
    ReadWriteExecute,
}

impl GuestAccess {
    /// Whether it includes writing.
    pub const fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ReadWriteExecute)
    }

    /// Whether it includes executing.
    pub const fn executes(self) -> bool {
        matches!(self, Self::ReadExecute | Self::ReadWriteExecute)
    }
}

/// A leaf of a guest's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuestAttributes {
    /// What may be done.
    pub access: GuestAccess,
    /// With what kind of memory.
    pub memory: Memory,
}

impl GuestAttributes {
    /// `access` to `memory`.
    pub const fn new(access: GuestAccess, memory: Memory) -> Self {
        Self { access, memory }
    }

    /// Whether a format grants this: device memory is never executable.
    pub const fn is_allowed(self) -> bool {
        match self.memory {
            Memory::Normal => true,
            Memory::Device => !self.access.executes(),
        }
    }
}
