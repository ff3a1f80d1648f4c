//! A Bloom filter in blocks of one cache line: says at once that a key is not there, nearly always rightly so.
//!
//! A fingerprint is a hash already, so its own bits choose the block and the bits in it. The upper ones are left alone:
//! they are nearly the same in all keys of a part.

/// Bits a key. With [`PROBES`] of them set, about one key in a thousand that is not there is taken for one that may be.
const BITS_A_KEY: usize = 16;
const BLOCK_BITS: usize = 512;
const BLOCK_WORDS: usize = BLOCK_BITS / 64;
const BLOCK_LEN: usize = BLOCK_BITS / 8;
/// Each takes 9 of the 64 bits that choose within a block.
const PROBES: u32 = 7;

/// The filter of some keys.
pub(super) struct Filter {
    blocks: Box<[Block]>,
}

/// What one look touches.
#[derive(Clone, Default)]
#[repr(align(64))]
struct Block([u64; BLOCK_WORDS]);

impl Filter {
    pub(super) fn of(fingerprints: &[u128]) -> Filter {
        let len = (fingerprints.len() * BITS_A_KEY).div_ceil(BLOCK_BITS).max(1);
        let mut blocks = vec![Block::default(); len].into_boxed_slice();
        for &fingerprint in fingerprints {
            let (block, bits) = place(fingerprint, len);
            let Block(words) = &mut blocks[block];
            for (word, bit) in each(bits) {
                words[word] |= 1 << bit;
            }
        }
        Filter { blocks }
    }

    /// False only where the key is not among those that the filter was made of.
    ///
    /// All bits are looked at, though the first or the second decides as a rule: an end that cannot be foreseen would keep the
    /// processor from fetching the block of the next run while it waits for this one.
    pub(super) fn may_hold(&self, fingerprint: u128) -> bool {
        let (block, bits) = place(fingerprint, self.blocks.len());
        let Block(words) = &self.blocks[block];
        each(bits).fold(1, |all, (word, bit)| all & words[word] >> bit) & 1 != 0
    }

    /// Has the processor fetch the block that says so.
    pub(super) fn approach(&self, fingerprint: u128) {
        let (block, _) = place(fingerprint, self.blocks.len());
        let Block([first, ..]) = &self.blocks[block];
        std::hint::black_box(*first);
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.blocks.iter().flat_map(|Block(words)| words).flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The filter from its bytes; `None` if they are none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Filter> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_LEN>();
        let are_blocks = !blocks.is_empty() && rest.is_empty();
        are_blocks.then(|| Filter { blocks: blocks.iter().map(block).collect() })
    }
}

fn block(bytes: &[u8; BLOCK_LEN]) -> Block {
    let mut block = Block::default();
    for (word, bytes) in block.0.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    block
}

/// The block of a fingerprint among so many, and the bits that choose within it.
fn place(fingerprint: u128, blocks: usize) -> (usize, u64) {
    let [_, _, _, _, a, b, c, d, e, f, g, h, i, j, k, l] = fingerprint.to_be_bytes();
    let blocks = u64::try_from(blocks).expect("a length");
    let block = (u64::from(u32::from_be_bytes([e, f, g, h])) * blocks) >> 32;
    let block = usize::try_from(block).expect("less than the number of blocks");
    (block, u64::from_be_bytes([a, b, c, d, i, j, k, l]))
}

/// The bits, each as its word of the block and its place in that.
fn each(bits: u64) -> impl Iterator<Item = (usize, u32)> {
    (0..PROBES).map(move |probe| {
        let bit = u16::try_from(bits >> (9 * probe) & 511).expect("9 bits");
        (usize::from(bit >> 6), u32::from(bit & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(n: u32) -> u128 {
        let [low, high] = [0, 1].map(|half| {
            let bytes = *blake3::hash(&[n.to_le_bytes(), [half; 4]].concat()).as_bytes();
            u64::from_be_bytes(*bytes.first_chunk().expect("32 bytes"))
        });
        u128::from(high) << 64 | u128::from(low)
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_hardly_ever() {
        let keys: Vec<u128> = (0..10_752).map(fingerprint).collect();
        let filter = Filter::from_bytes(&Filter::of(&keys).to_bytes()).expect("a filter");
        assert!(keys.iter().all(|&key| filter.may_hold(key)));
        let wrong = (20_000..40_000).filter(|&n| filter.may_hold(fingerprint(n))).count();
        assert!(wrong < 60, "{wrong} of 20000 strangers pass");
    }

    #[test]
    fn other_bytes_are_no_filter() {
        assert!(Filter::from_bytes(&[]).is_none());
        assert!(Filter::from_bytes(&[0; 63]).is_none());
        assert!(Filter::from_bytes(&[0; 72]).is_none());
        assert!(Filter::from_bytes(&[0; 128]).is_some());
    }
}
