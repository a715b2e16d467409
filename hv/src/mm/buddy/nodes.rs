//! A node's free lists: one page, in the node's own memory, mapped for good.
//!
//! Holds heads, one bit for each list that is not empty, and nothing else; links are in the block records.

use paging::{FrameRange, PAGE_BYTES, VirtAddr};

use arrayvec::ArrayVec;

use super::{DomainHeap, NODES};
use crate::machine::Machine;
use crate::mm::frames::{Bank, Block, BlockRecord, Frames, Node, Order, READ_WRITE, Zone};
use crate::mm::here::{Here, Reach, bytes, words};
use crate::mm::space::{BootTables, LeafSize, Space, SpaceError};

/// Words of a zone: heads by order, and the bits at the end.
const ZONE_WORDS: u64 = 32;
const BITS_WORD: u64 = ZONE_WORDS - 1;

/// Which page of the heap's lists is whose, by node.
#[derive(Debug)]
pub(super) struct NodePages {
    base: VirtAddr,
    /// Sorted by node: the node and the number of its page.
    pages: ArrayVec<(Node, u8), NODES>,
}

impl NodePages {
    /// No node's yet; pages are mapped from `base` on.
    pub(super) const fn new(base: VirtAddr) -> Self {
        Self { base, pages: ArrayVec::new_const() }
    }

    /// How many nodes have one.
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// All of them, by node.
    pub(super) fn lists(&self) -> impl Iterator<Item = NodeLists> + '_ {
        let at = |page: u8| bytes(self.base, u64::from(page) * PAGE_BYTES);
        self.pages.iter().map(move |(node, page)| NodeLists { node: *node, at: at(*page) })
    }

    /// A node's.
    pub(super) fn of(&self, node: Node) -> NodeLists {
        let mut lists = self.lists();
        lists.find(|lists| lists.node == node).expect("every bank's node got lists before its memory was fed")
    }

    /// Where the page of a node that has none yet is to be mapped, and its place among the others.
    pub(super) fn missing(&self, node: Node) -> Option<(VirtAddr, usize)> {
        let place = self.pages.binary_search_by_key(&node, |(node, _)| *node).err()?;
        Some((bytes(self.base, self.pages.len() as u64 * PAGE_BYTES), place))
    }

    /// The page is there now; false when there are too many nodes.
    pub(super) fn add(&mut self, node: Node, place: usize) -> bool {
        let page = self.pages.len() as u8;
        self.pages.try_insert(place, (node, page)).is_ok()
    }
}

/// Of which nodes memory may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Of this one alone.
    One(Node),
    /// Of any, if `near` has none.
    Any {
        /// The one that is asked first.
        near: Node,
    },
}

impl Of {
    /// The node that is asked first.
    pub(super) const fn near(self) -> Node {
        match self {
            Self::One(near) | Self::Any { near } => near,
        }
    }
}

/// Where a node's lists are. Lists of orders below a block's hold split blocks, by the largest chunk they have.
#[derive(Clone, Copy, Debug)]
pub struct NodeLists {
    pub(super) node: Node,
    at: VirtAddr,
}

impl NodeLists {
    /// Makes the lists of one node: a frame of its own memory, mapped at `at`.
    ///
    /// # Errors
    /// When the boot allocator has no frame in that node, or none for a table.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        space: &mut Space,
        at: VirtAddr,
        bank: Bank,
    ) -> Result<Self, SpaceError> {
        let frame = boot.data_within(bank.frames).ok_or(SpaceError::OutOfTables)?;
        space.map(here, boot, LeafSize::Page, at, FrameRange::new(frame, 1), READ_WRITE)?;
        here.clear_page(at);
        Ok(Self { node: bank.node, at })
    }

    /// Where they are mapped.
    pub fn at(&self) -> VirtAddr {
        self.at
    }

    fn word(&self, zone: Zone, word: u64) -> VirtAddr {
        let zone = match zone {
            Zone::Domain => 0,
            Zone::Heap => 1,
        };
        words(self.at, zone * ZONE_WORDS + word)
    }

    /// The smallest of the orders from `least` to `most` whose list is not empty.
    pub(super) fn smallest(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        least: Order,
        most: Order,
    ) -> Option<Order> {
        let bits = here.load(self.word(zone, BITS_WORD)) & ((1 << (most.get() + 1)) - 1);
        let above = bits >> least.get();
        (above != 0).then(|| Order::new(least.get() + above.trailing_zeros() as u8))
    }

    /// The first of a list that is not empty.
    pub(super) fn first(&self, here: &Here<'_, impl Machine, impl Reach>, zone: Zone, order: Order) -> Block {
        let head = here.load(self.word(zone, order.get().into()));
        decode(head).expect("its bit says that the list is not empty")
    }
}

/// Both neighbours in a list, as 32-bit halves; 0 is none.
struct Links {
    next: Option<Block>,
    previous: Option<Block>,
}

fn encode(block: Option<Block>) -> u64 {
    block.map_or(0, |block| block.number() + 1)
}

fn decode(half: u64) -> Option<Block> {
    half.checked_sub(1).map(Block::from_number)
}

fn links(frames: &Frames, here: &Here<'_, impl Machine, impl Reach>, block: Block) -> Links {
    let word = here.load(frames.word(block, 1));
    Links { next: decode(word & u64::from(u32::MAX)), previous: decode(word >> 32) }
}

fn set_links(frames: &Frames, here: &Here<'_, impl Machine, impl Reach>, block: Block, links: Links) {
    here.store(frames.word(block, 1), encode(links.previous) << 32 | encode(links.next));
}

impl DomainHeap {
    /// The lists of a node, which `DomainHeap::new` was given.
    pub(super) fn lists(&self, node: Node) -> NodeLists {
        self.nodes.of(node)
    }

    /// The nodes that memory may be of, in the order in which they are asked.
    pub(super) fn nodes_of(&self, of: Of) -> impl Iterator<Item = NodeLists> + '_ {
        let own = self.nodes.lists().filter(move |lists| lists.node == of.near());
        let others = self.nodes.lists().filter(move |lists| match of {
            Of::One(_) => false,
            Of::Any { near } => lists.node != near,
        });
        own.chain(others)
    }

    /// The list that a record belongs in.
    fn list_of(record: BlockRecord) -> Option<Order> {
        use crate::mm::frames::BlockState;
        match record.state() {
            BlockState::Free => Some(record.order()),
            BlockState::Split => match record.offered() {
                0 => None,
                offered => Some(Order::new(offered.ilog2() as u8)),
            },
            BlockState::Plain | BlockState::Owned | BlockState::Quarantined => None,
        }
    }

    /// Puts a block first in its list.
    pub(super) fn list(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block, record: BlockRecord) {
        let Some(order) = Self::list_of(record) else { return };
        let lists = self.lists(record.node());
        let head_at = lists.word(record.zone(), order.get().into());
        let next = decode(here.load(head_at));
        if let Some(next) = next {
            let after = links(&self.frames, here, next);
            set_links(&self.frames, here, next, Links { previous: Some(block), ..after });
        }
        set_links(&self.frames, here, block, Links { next, previous: None });
        here.store(head_at, encode(Some(block)));
        let bits = lists.word(record.zone(), BITS_WORD);
        here.store(bits, here.load(bits) | 1 << order.get());
    }

    /// Takes a block out of its list.
    pub(super) fn unlist(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block, record: BlockRecord) {
        let Some(order) = Self::list_of(record) else { return };
        let Links { next, previous } = links(&self.frames, here, block);
        if let Some(next) = next {
            let after = links(&self.frames, here, next);
            set_links(&self.frames, here, next, Links { previous, ..after });
        }
        if let Some(previous) = previous {
            let before = links(&self.frames, here, previous);
            set_links(&self.frames, here, previous, Links { next, ..before });
            return;
        }
        let lists = self.lists(record.node());
        here.store(lists.word(record.zone(), order.get().into()), encode(next));
        if next.is_none() {
            let bits = lists.word(record.zone(), BITS_WORD);
            here.store(bits, here.load(bits) & !(1 << order.get()));
        }
    }

    /// Changes a block's record, and its list if that changes.
    pub(super) fn relist(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        block: Block,
        before: BlockRecord,
        after: BlockRecord,
    ) {
        if Self::list_of(before) == Self::list_of(after) {
            self.frames.set_block(here, block, after);
            return;
        }
        self.unlist(here, block, before);
        self.frames.set_block(here, block, after);
        self.list(here, block, after);
    }

    /// Remembers a block, which is in no list, as the first of a chain.
    pub(super) fn chain(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block, next: Option<Block>) {
        set_links(&self.frames, here, block, Links { next, previous: None });
    }

    /// What follows a block in its chain.
    pub(super) fn chained(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block) -> Option<Block> {
        links(&self.frames, here, block).next
    }
}
