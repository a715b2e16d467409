//! The linked ELF file as facts: sections with both of their addresses, segments, entry.
//!
//! Interprets nothing; a file that lies about its sizes is an error, not a panic.

use object::Endianness;
use object::elf::{FileHeader64, PF_W, PF_X, PT_LOAD, SHF_ALLOC, SHT_NOBITS};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

/// A section that is part of the running image.
#[derive(Debug, Clone)]
pub struct LinkedSection {
    /// Its name.
    pub name: String,
    /// First virtual byte.
    pub link: u64,
    /// First physical byte, by the segment that holds it; `None` outside every segment.
    pub load: Option<u64>,
    /// Length in memory.
    pub bytes: u64,
    /// Its bytes in the file; empty for memory that starts zeroed.
    pub data: Vec<u8>,
}

/// A loadable segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// First virtual byte.
    pub link: u64,
    /// First physical byte.
    pub load: u64,
    /// Length in memory.
    pub bytes: u64,
    /// Length in the file.
    pub file_bytes: u64,
    /// First byte in the file.
    pub file_offset: u64,
    /// Whether it may be written.
    pub writable: bool,
    /// Whether it may be executed.
    pub executable: bool,
}

/// A linked image.
#[derive(Debug)]
pub struct LinkedImage<'a> {
    /// The whole file.
    pub file: &'a [u8],
    /// Where it is entered, as the file header says.
    pub entry: u64,
    /// Sections with memory, in file order.
    pub sections: Vec<LinkedSection>,
    /// Loadable segments.
    pub segments: Vec<Segment>,
}

impl<'a> LinkedImage<'a> {
    /// Reads a 64-bit little-endian ELF file.
    pub fn parse(file: &'a [u8]) -> Result<Self, String> {
        let words = |error: object::read::Error| error.to_string();
        let header = FileHeader64::<Endianness>::parse(file).map_err(words)?;
        let endian = header.endian().map_err(words)?;
        if endian != Endianness::Little {
            return Err("big-endian".to_owned());
        }
        let mut segments = Vec::new();
        for program in header.program_headers(endian, file).map_err(words)? {
            if program.p_type(endian) == PT_LOAD {
                segments.push(segment(program, endian));
            }
        }
        let table = header.sections(endian, file).map_err(words)?;
        let mut sections = Vec::new();
        for section in table.iter() {
            let bytes = section.sh_size(endian);
            if (section.sh_flags(endian) & SHF_ALLOC).0 == 0 || bytes == 0 {
                continue;
            }
            let name = table.section_name(endian, section).map_err(words)?;
            let zeroed = section.sh_type(endian) == SHT_NOBITS;
            let data = if zeroed { &[][..] } else { section.data(endian, file).map_err(words)? };
            let link = section.sh_addr(endian);
            sections.push(LinkedSection {
                name: String::from_utf8_lossy(name).into_owned(),
                link,
                load: load_address(&segments, link, bytes),
                bytes,
                data: data.to_vec(),
            });
        }
        Ok(Self { file, entry: header.e_entry(endian), sections, segments })
    }

    /// The file's bytes that load at physical `address`, as far as the file holds them.
    pub fn at_physical(&self, address: u64, bytes: usize) -> Option<&'a [u8]> {
        self.segments.iter().find_map(|segment| {
            let skip = address.checked_sub(segment.load)?;
            let end = skip.checked_add(u64::try_from(bytes).ok()?)?;
            if end > segment.file_bytes {
                return None;
            }
            let first = usize::try_from(segment.file_offset.checked_add(skip)?).ok()?;
            self.file.get(first..first.checked_add(bytes)?)
        })
    }
}

fn segment(program: &object::elf::ProgramHeader64<Endianness>, endian: Endianness) -> Segment {
    Segment {
        link: program.p_vaddr(endian),
        load: program.p_paddr(endian),
        bytes: program.p_memsz(endian),
        file_bytes: program.p_filesz(endian),
        file_offset: program.p_offset(endian),
        writable: (program.p_flags(endian) & PF_W).0 != 0,
        executable: (program.p_flags(endian) & PF_X).0 != 0,
    }
}

fn load_address(segments: &[Segment], link: u64, bytes: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let skip = link.checked_sub(segment.link)?;
        let fits = skip.checked_add(bytes)? <= segment.bytes;
        fits.then(|| segment.load.checked_add(skip)).flatten()
    })
}
