//! Where connections may go.

use crate::Reach;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// An address that may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Written in a URL.
    #[error("{0} is not a public address")]
    Address(IpAddr),
    /// All that a name has are not public.
    #[error("{host} is at {address}, which is not a public address")]
    Name { host: String, address: IpAddr },
    /// Not HTTP.
    #[error("{0} addresses are not supported, only http and https")]
    Scheme(String),
    /// An address without a host.
    #[error("the address names no host")]
    NoHost,
}

/// Decides where connections may go.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    reach: Arc<Reach>,
}

impl Guard {
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach: Arc::new(reach) }
    }

    /// Checks what can be seen of a URL before a connection is made: names are checked when they
    /// have been looked up.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        let address = match url.host() {
            None => return Err(Refusal::NoHost),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        if self.allows(address) { Ok(()) } else { Err(Refusal::Address(address)) }
    }

    /// Keeps the addresses of `host` that may be connected to.
    pub(crate) fn keep(
        &self,
        host: &str,
        found: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Refusal> {
        let refused = found.first().copied();
        let kept: Vec<_> = found.into_iter().filter(|found| self.allows(found.ip())).collect();
        match refused {
            Some(refused) if kept.is_empty() => {
                Err(Refusal::Name { host: host.to_owned(), address: refused.ip() })
            }
            _ => Ok(kept),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        match &*self.reach {
            Reach::Anywhere => true,
            Reach::Public => is_public(address),
            Reach::PublicAnd(others) => others.contains(&address) || is_public(address),
        }
    }
}

/// A channel that this process itself plays, as who carries it may read it, whatever the reach.
///
/// What else this process serves says who pushes what to where, and a source that could have it read would
/// publish it.
#[derive(Clone, Debug)]
pub(crate) struct OwnChannel {
    /// The address of its multivariant playlist.
    source: Url,
}

impl OwnChannel {
    /// The channel at `source`, if it is one of the process that serves at `own`.
    pub(crate) fn of(source: &Url, own: Option<SocketAddr>) -> Option<Self> {
        let here = Url::parse(&format!("http://{}/", own?)).ok()?;
        let is_channel =
            source.origin() == here.origin() && source.path().starts_with("/channels/");
        is_channel.then(|| Self { source: source.clone() })
    }

    /// Whether `url` is a playlist of this channel, or the subtitles that it makes itself.
    pub(crate) fn has(&self, url: &Url) -> bool {
        let folder = |url: &Url| url.path().rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let read_by_all = url.path().ends_with(".m3u8") || url.path().ends_with(".vtt");
        self.source.origin() == url.origin() && folder(&self.source) == folder(url) && read_by_all
    }
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IPv4 addresses that are not public, by their first bits: the IANA special-purpose registry
/// (RFC 6890), and multicast.
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // carrier-grade NAT
    ([127, 0, 0, 0], 8),      // loopback
    ([169, 254, 0, 0], 16),   // link-local, and metadata services
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, and broadcast
    ([168, 63, 129, 16], 32), // a cloud's own services, seen from its machines
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|&(net, bits)| {
        u32::from(address) >> (32 - bits) == u32::from(Ipv4Addr::from(net)) >> (32 - bits)
    })
}

/// IPv6 addresses inside 2000::/3 that are not public, by their first bits.
const NOT_PUBLIC_V6: [(u128, u32); 3] = [
    (0x2001_0000 << 96, 23), // protocol assignments: Teredo, benchmarks, ORCHID
    (0x2001_0db8 << 96, 32), // documentation
    (0x3fff_0000 << 96, 20), // documentation
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    let begins = |net: u128, length: u32| bits >> (128 - length) == net >> (128 - length);
    // The low 32 bits of what is left after `shift`.
    let inner = |shift: u32| {
        is_public_v4(Ipv4Addr::from(u32::try_from(bits >> shift & 0xffff_ffff).unwrap_or(0)))
    };
    if begins(0xffff << 32, 96) || begins(0x0064_ff9b << 96, 96) {
        // IPv4-mapped; NAT64 (RFC 6052), which is the way to IPv4 where there is only IPv6.
        return inner(0);
    }
    if begins(0x2002 << 112, 16) {
        return inner(80); // 6to4
    }
    // Nothing outside 2000::/3 is given out: loopback, link-local, unique local and multicast are
    // there.
    begins(0x2000 << 112, 3) && !NOT_PUBLIC_V6.iter().any(|&(net, length)| begins(net, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_this_process_serves_a_channel_may_be_read_by_who_carries_it_and_nothing_else() {
        let own = Some(([127, 0, 0, 1], 8080).into());
        let url = |path: &str| Url::parse("http://127.0.0.1:8080/").unwrap().join(path).unwrap();
        let channel = OwnChannel::of(&url("/channels/one/master.m3u8"), own).unwrap();
        for path in ["master.m3u8", "video_360p.m3u8", "empty.vtt"] {
            assert!(channel.has(&url(&format!("/channels/one/{path}"))), "{path}");
        }
        for other in [
            "/sessions",
            "/sessions?x=.m3u8",
            "/openapi.json",
            "/channels",
            "/channels/one",
            "/channels/one/now",
            "/channels/one/schedule",
            "/channels/one/../../sessions",
            "/channels/two/master.m3u8",
            "http://127.0.0.1:8081/channels/one/master.m3u8",
            "http://127.0.0.1/channels/one/master.m3u8",
            "http://127.0.0.2:8080/channels/one/master.m3u8",
            "https://127.0.0.1:8080/channels/one/master.m3u8",
        ] {
            assert!(!channel.has(&url(other)), "{other}");
        }
        for (source, own) in [
            ("https://origin.example/channels/one/master.m3u8", own),
            ("http://127.0.0.1:8081/channels/one/master.m3u8", own),
            ("/sessions", own),
            ("/channels/one/master.m3u8", None),
        ] {
            assert!(OwnChannel::of(&url(source), own).is_none(), "{source}");
        }
    }

    #[test]
    fn only_public_addresses_are_asked_however_they_are_written() {
        let refused = [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
            "http://169.254.169.254/latest/meta-data/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.0.0.8/",
            "http://192.0.2.1/",
            "http://192.88.99.1/",
            "http://192.168.1.1/",
            "http://198.19.255.255/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://224.0.0.1/",
            "http://239.255.255.255/",
            "http://255.255.255.255/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::127.0.0.1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a00:1]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[64:ff9b:1::1]/",
            "http://[100::1]/",
            "http://[2001::1]/",
            "http://[2001:db8::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[3fff::1]/",
            "http://[5f00::1]/",
            "http://[fc00::1]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[ff02::1]/",
        ];
        let allowed = [
            "http://8.8.8.8/",
            "http://9.255.255.255/",
            "http://11.0.0.0/",
            "http://100.63.255.255/",
            "http://100.128.0.0/",
            "http://172.15.255.255/",
            "http://172.32.0.0/",
            "http://192.0.1.1/",
            "http://223.255.255.255/",
            "https://[2600:1f18::1]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[64:ff9b::8.8.8.8]/",
            "http://[2002:808:808::1]/",
            "http://a.example/",
        ];
        let guard = Guard::new(Reach::Public);
        for (urls, expected) in [(&refused[..], false), (&allowed[..], true)] {
            for url in urls {
                assert_eq!(guard.check(&Url::parse(url).unwrap()).is_ok(), expected, "{url}");
            }
        }
    }

    #[test]
    fn only_http_is_spoken() {
        for url in ["file:///etc/passwd", "ftp://a.example/x", "data:,x", "gopher://a.example/"] {
            for reach in [Reach::Public, Reach::Anywhere] {
                assert!(Guard::new(reach).check(&Url::parse(url).unwrap()).is_err(), "{url}");
            }
        }
    }

    #[test]
    fn of_the_addresses_of_a_name_the_public_ones_are_kept() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|it| SocketAddr::new(it.parse().unwrap(), 0)).collect()
        };
        let guard = Guard::new(Reach::Public);
        let found = addresses(&["10.0.0.1", "8.8.8.8", "::1", "2600:1f18::1"]);
        assert_eq!(guard.keep("a.example", found), Ok(addresses(&["8.8.8.8", "2600:1f18::1"])));
        let refusal = guard.keep("a.example", addresses(&["10.0.0.1", "::1"])).unwrap_err();
        assert_eq!(refusal.to_string(), "a.example is at 10.0.0.1, which is not a public address");
        let guard = Guard::new(Reach::PublicAnd(vec!["10.0.0.1".parse().unwrap()]));
        let found = addresses(&["10.0.0.1", "10.0.0.2"]);
        assert_eq!(guard.keep("a.example", found), Ok(addresses(&["10.0.0.1"])));
    }
}
