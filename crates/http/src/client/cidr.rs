use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use tower_ballast_core::{Invalid, Key};

const RANGE: &str = "an address, or a network such as 10.0.0.0/8 whose other bits are zero";

/// A network of addresses that begin alike, such as `10.0.0.0/8`.
///
/// The notation is that of [RFC 4632](https://www.rfc-editor.org/rfc/rfc4632#section-3.1) and, for
/// IPv6, [RFC 4291](https://www.rfc-editor.org/rfc/rfc4291#section-2.3). An IPv4 address that is
/// mapped into IPv6 (`::ffff:10.0.0.1`) is the IPv4 address it stands for.
///
/// ```
/// use tower_ballast_http::Cidr;
///
/// const INSIDE: Cidr = Cidr::v4::<8>([10, 0, 0, 0]);
/// assert!(INSIDE.contains("10.1.2.3".parse().unwrap()));
/// assert!(INSIDE.contains("::ffff:10.1.2.3".parse().unwrap()));
///
/// let read = Cidr::try_new("trusted", "2001:db8::/32").unwrap();
/// assert_eq!(read.to_string(), "2001:db8::/32");
///
/// // Was the host meant, or its network?
/// let refused = Cidr::try_new("trusted", "10.0.0.1/8").unwrap_err();
/// assert_eq!(refused.setting(), "trusted");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Where no public client can be: loopback, and the private networks of
    /// [RFC 1918](https://www.rfc-editor.org/rfc/rfc1918#section-3) and
    /// [RFC 4193](https://www.rfc-editor.org/rfc/rfc4193#section-3.1).
    pub const PRIVATE: [Self; 6] = [
        Self::v4::<8>([127, 0, 0, 0]),
        Self::v4::<8>([10, 0, 0, 0]),
        Self::v4::<12>([172, 16, 0, 0]),
        Self::v4::<16>([192, 168, 0, 0]),
        Self::v6::<128>([0, 0, 0, 0, 0, 0, 0, 1]),
        Self::v6::<7>([0xfc00, 0, 0, 0, 0, 0, 0, 0]),
    ];

    /// A literal network of IPv4, its length checked by the compiler. Bits behind the prefix do
    /// not matter.
    ///
    /// ```compile_fail
    /// let too_long = tower_ballast_http::Cidr::v4::<33>([10, 0, 0, 0]);
    /// ```
    #[must_use]
    pub const fn v4<const PREFIX: u8>(octets: [u8; 4]) -> Self {
        const { assert!(PREFIX <= 32, "an IPv4 address has 32 bits") };
        let [a, b, c, d] = octets;
        Self { network: IpAddr::V4(masked_v4(Ipv4Addr::new(a, b, c, d), PREFIX)), prefix: PREFIX }
    }

    /// A literal network of IPv6, its length checked by the compiler. Bits behind the prefix do
    /// not matter.
    #[must_use]
    pub const fn v6<const PREFIX: u8>(segments: [u16; 8]) -> Self {
        const { assert!(PREFIX <= 128, "an IPv6 address has 128 bits") };
        let (mut bits, mut at) = (0, 0);
        while at < segments.len() {
            bits = bits << 16 | segments[at] as u128;
            at += 1;
        }
        Self::of_v6(Ipv6Addr::from_bits(bits), PREFIX)
    }

    /// A network from text. A single address is the network of itself.
    ///
    /// # Errors
    ///
    /// Names `setting` when `text` is no network, or has bits set behind the prefix.
    pub fn try_new(setting: &str, text: &str) -> Result<Self, Invalid> {
        Self::parse(text.trim()).ok_or_else(|| Invalid::new(setting, text, RANGE))
    }

    /// The network of this address whose prefix has so many bits; more than there are is all.
    pub(super) const fn of(address: IpAddr, prefix: u8) -> Self {
        match address {
            IpAddr::V4(address) => {
                let prefix = if prefix < 32 { prefix } else { 32 };
                Self { network: IpAddr::V4(masked_v4(address, prefix)), prefix }
            }
            IpAddr::V6(address) => Self::of_v6(address, if prefix < 128 { prefix } else { 128 }),
        }
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        // The network of an address of the other family is another one.
        Self::of(address, self.prefix) == self
    }

    /// The key of a client in it, as [`ClientIp`](crate::ClientIp) gives it.
    #[must_use]
    pub fn key(self) -> Key {
        Key::of(&self)
    }

    const fn of_v6(address: Ipv6Addr, prefix: u8) -> Self {
        match address.to_ipv4_mapped() {
            Some(v4) if prefix >= 96 => {
                let prefix = prefix - 96;
                Self { network: IpAddr::V4(masked_v4(v4, prefix)), prefix }
            }
            _ => Self { network: IpAddr::V6(masked_v6(address, prefix)), prefix },
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let Some((address, prefix)) = text.split_once('/') else {
            return Some(Self::of(text.parse().ok()?, u8::MAX));
        };
        let address: IpAddr = address.parse().ok()?;
        let digits = prefix.bytes().all(|digit| digit.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits)?;
        let whole = Self::of(address, u8::MAX);
        let network = Self::of(address, prefix);
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits && network.network == whole.network).then_some(network)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

const fn masked_v4(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let mask = match u32::MAX.checked_shl(32 - prefix as u32) {
        Some(mask) => mask,
        None => 0,
    };
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

const fn masked_v6(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let mask = match u128::MAX.checked_shl(128 - prefix as u32) {
        Some(mask) => mask,
        None => 0,
    };
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::try_new("test", text).unwrap()
    }

    #[test]
    fn a_network_is_written_as_it_was_read() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "2001:db8::/32", "192.0.2.7/32", "::1/128"]
        {
            assert_eq!(cidr(text).to_string(), text);
        }
        assert_eq!(cidr("192.0.2.7").to_string(), "192.0.2.7/32");
        assert_eq!(cidr(" 2001:db8::7 ").to_string(), "2001:db8::7/128");
    }

    #[test]
    fn a_mapped_network_is_the_one_it_stands_for() {
        assert_eq!(cidr("::ffff:10.0.0.0/104"), cidr("10.0.0.0/8"));
        assert_eq!(cidr("::ffff:10.0.0.7"), cidr("10.0.0.7"));
        assert_eq!(Cidr::v6::<104>([0, 0, 0, 0, 0, 0xffff, 0x0a00, 0]), cidr("10.0.0.0/8"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "/8",
            "10/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "10.0.0.0/8/8",
            "2001:db8::/129",
            "2001:db8::1/64",
            "010.0.0.0/8",
            "10.0.0.0/256",
            "[::1]",
            "fe80::1%eth0",
            "host",
            "10.0.0.0:80",
        ] {
            assert!(Cidr::try_new("trusted", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn families_do_not_contain_each_other() {
        assert!(!cidr("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert!(!cidr("::/0").contains("10.0.0.1".parse().unwrap()));
        assert!(!cidr("::/0").contains("::ffff:10.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn reading_a_network_never_panics(text: String) {
            let _ = Cidr::try_new("any", &text);
        }

        #[test]
        fn an_address_lies_in_it_when_its_first_bits_are_the_same(
            one: u32, other: u32, prefix in 0_u8..=32,
        ) {
            let [one, other] = [one, other].map(Ipv4Addr::from_bits);
            let alike = (0..prefix).all(|bit| {
                let bit = 1_u32 << (31 - bit);
                one.to_bits() & bit == other.to_bits() & bit
            });
            prop_assert_eq!(Cidr::of(one.into(), prefix).contains(other.into()), alike);
        }

        #[test]
        fn the_same_holds_for_the_longer_addresses(one: u128, bit in 0_u8..128, prefix in 0_u8..=128) {
            // Not within ::ffff:0:0/96, which is the other family.
            let one = Ipv6Addr::from_bits(one | 1 << 127);
            let other = Ipv6Addr::from_bits(one.to_bits() ^ (1 << (127 - bit)));
            prop_assert_eq!(Cidr::of(one.into(), prefix).contains(other.into()), bit >= prefix);
        }
    }
}
