//! Codes of reading: files, syntax, keys, words, units, inheritance (E01xx).
//!
//! Never about what a value means for the machine.

use super::codes;

codes! {
    E0101 Error "the board file cannot be read"
    "The file does not exist, is a directory, or may not be read. Boards are the files in platforms/; a path works too."
    "cargo xtask check --platform qemu-arm46.toml"
    "cargo xtask check --platform qemu-arm64.toml"

    E0102 Error "the file is not UTF-8"
    "A TOML file is UTF-8 text. Usually an editor saved a comment in another encoding, or the file is not a board file."
    "model = \"Caf\\xe9\"        # the single byte e9, Latin-1"
    "model = \"Café\"           # the bytes c3 a9, UTF-8"

    E0103 Error "the file is empty"
    "It holds no key at all. A board file starts with `schema = 1` and says the rest or names a file to inherit with `base`."
    "# (nothing)"
    "schema = 1\nbase = \"qemu-arm64.toml\""

    E0104 Error "the file is not TOML"
    "The text does not follow the TOML grammar. All places found in one reading are reported; mend the first, the others may follow from it."
    "size = 64 KiB"
    "size = \"64 KiB\""

    E0105 Error "a value has the wrong type"
    "Each key takes one kind of value: see platforms/README.md. Numbers are written without quotes, words and sizes with."
    "base = \"0x4000_0000\""
    "base = 0x4000_0000"

    E0106 Error "a key is missing"
    "The key has no default: nothing can be assumed for it that would be right for every machine."
    "[[memory.bank]]\nbase = 0x4000_0000"
    "[[memory.bank]]\nbase = 0x4000_0000\nsize = \"1 GiB\""

    E0107 Error "a key is unknown"
    "Nothing reads it, so it is either misspelt or stands in the wrong table. Keys are kebab-case."
    "[boot]\nentry_el = 2"
    "[boot]\nentry-el = 2"

    E0108 Error "a word is not one of those the key takes"
    "The key takes one of a closed list of words, in small letters."
    "enable-method = \"PSCI\""
    "enable-method = \"psci\""

    E0109 Error "a size is not a number of bytes with a binary unit"
    "A size is an integer (bytes) or a string with a unit: B, KiB, MiB, GiB or TiB. `K` and `KB` mean 1000 to some readers and 1024 to others, and a bare \"64\" has no unit at all, so none of them is guessed at."
    "size = \"64 KB\""
    "size = \"64 KiB\""

    E0110 Error "a number is out of range"
    "The key's value has fewer bits than the number, or limits of its own that the message names."
    "pa-bits-min = 64"
    "pa-bits-min = 40"

    E0111 Error "`schema` is missing"
    "Each file, an inherited one too, says which edition of the vocabulary it is written in."
    "[platform]\nname = \"demo\""
    "schema = 1\n\n[platform]\nname = \"demo\""

    E0112 Error "this edition of the vocabulary is not known"
    "The file was written for another edition of this tool. This one reads schema 1."
    "schema = 2"
    "schema = 1"

    E0113 Error "the inherited file cannot be read"
    "`base` names a file relative to the file it stands in. It does not exist or may not be read, or the path is absolute, which would work on one machine only."
    "base = \"qemu-arm46.toml\""
    "base = \"qemu-arm64.toml\""

    E0114 Error "the inherited file inherits in turn"
    "Inheritance is one level deep, so that every value is in one of two files. Name the last file of the chain, or copy the middle one's keys."
    "# c.toml\nbase = \"b.toml\"     # and b.toml says base = \"a.toml\""
    "# c.toml\nbase = \"a.toml\""

    E0115 Error "the file inherits from itself"
    "`base` leads back to the file it stands in."
    "# demo.toml\nbase = \"demo.toml\""
    "# demo.toml\nbase = \"qemu-arm64.toml\""

    E0116 Error "`platform.name` is not the file's name"
    "A board is found by its file, and its generated code lies in a folder of that name; a second name for the same thing would only mislead."
    "# demo.toml\n[platform]\nname = \"demo2\""
    "# demo.toml\n[platform]\nname = \"demo\""

    E0117 Error "a key does not apply here"
    "The key belongs to another architecture, or to another `kind` of the same table. It would have no effect, so it is a misunderstanding."
    "[platform]\narch = \"x86_64\"\n\n[[cpu.core]]\nmpidr = 0x0"
    "[platform]\narch = \"x86_64\"\n\n[[cpu.core]]\napic-id = 0"

    E0118 Error "a key that this kind needs is missing"
    "The key is optional in general, but the table's `kind`, the architecture or another key makes it necessary."
    "[console]\nkind = \"pl011\"\nsize = 0x1000"
    "[console]\nkind = \"pl011\"\nbase = 0x0900_0000\nsize = 0x1000"

    E0119 Error "a name cannot be used"
    "Names become folders, symbols, device tree nodes and arguments. They have 1 to 63 characters out of a-z, A-Z, 0-9, `-`, `_`, `.`, `@` and `,`, and start with a letter or digit."
    "name = \"guest one\""
    "name = \"guest-one\""

    E0120 Error "a name is used twice"
    "Reports, `domain.devices` and inheritance look entries up by name."
    "[[domain]]\nname = \"linux\"\n\n[[domain]]\nname = \"linux\""
    "[[domain]]\nname = \"linux-a\"\n\n[[domain]]\nname = \"linux-b\""
}
