//! Numbers that follow from a seed, so that a run and each of its cases can be repeated.

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    /// One case's. Cases do not share numbers: each can be repeated alone.
    pub(super) fn of(seed: u64, case: u64) -> Random {
        let mut random = Random(seed ^ case.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        random.number();
        random
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.number() as u8
    }

    /// As many as that, at random.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Another number near one, or one of those at which types end.
    pub(super) fn near(&mut self, number: u32) -> u32 {
        match self.below(4) {
            0 => number.wrapping_add(1),
            1 => number.wrapping_sub(1),
            2 => self.pick(&[0, 1, 2, 3, 10, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, u32::MAX]),
            _ => self.byte().into(),
        }
    }

    /// Some bits of one byte are other ones.
    pub(super) fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let at = self.below(bytes.len());
            bytes[at] ^= if self.one_in(2) { 1 << self.below(8) } else { self.byte() };
        }
    }

    /// A byte flipped, put in or taken out, or the end cut off or made longer.
    pub(super) fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(8) {
            0 => bytes.insert(at, self.byte()),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let count = 1 + self.below(40);
                bytes.extend(self.bytes(count));
            }
            _ => self.flip(bytes),
        }
    }

    /// Two things change places, one is doubled or gone, or their order is turned round.
    pub(super) fn reorder<T: Clone>(&mut self, things: &mut Vec<T>) {
        if things.is_empty() {
            return;
        }
        let (one, other) = (self.below(things.len()), self.below(things.len()));
        match self.below(5) {
            0 => things.swap(one, other),
            1 => things.insert(other, things[one].clone()),
            2 => drop(things.remove(one)),
            3 => things.reverse(),
            _ => things.push(things[one].clone()),
        }
    }
}
