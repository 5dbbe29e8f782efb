//! Changes what a certificate or a list says, with all lengths around it corrected.

use super::random::Random;

/// A value in DER, with what is inside, were it wrapped in a string of octets or bits.
#[derive(Clone)]
struct Node {
    tag: u8,
    /// The number of unused bits, where values are inside of a string of bits.
    prefix: Vec<u8>,
    content: Content,
    /// Its length has one byte more than it needs.
    long: bool,
}

#[derive(Clone)]
enum Content {
    Bytes(Vec<u8>),
    Nodes(Vec<Node>),
}

/// The same with one to three changes. What is no DER has a byte changed.
pub(super) fn changed(der: &[u8], random: &mut Random) -> Vec<u8> {
    let Some(mut nodes) = nodes(der).filter(|nodes| encoded(nodes) == der) else {
        let mut der = der.to_vec();
        random.change(&mut der);
        return der;
    };
    loop {
        change(&mut nodes, random);
        if nodes.is_empty() || !random.one_in(3) {
            return encoded(&nodes);
        }
    }
}

/// A certificate's content with a unique identifier of its subject, as version 2 brought them.
pub(super) fn with_unique_identifier(tbs: &[u8]) -> Vec<u8> {
    with(tbs, |fields| fields.insert(fields.len() - 1, node(&[0x82, 2, 0, 1]).expect("one value").0))
}

/// What is signed, with the first two parts of the name in one of its fields in one set, in DER's order or the other.
pub(super) fn with_a_set(tbs: &[u8], field: usize, in_order: bool) -> Vec<u8> {
    with(tbs, |fields| {
        let Content::Nodes(name) = &mut fields[field].content else { panic!("a name") };
        let inside = |part: Node| match part.content {
            Content::Nodes(mut one) => one.remove(0),
            Content::Bytes(_) => panic!("a set"),
        };
        // The common name is longer than the organization.
        let mut parts: Vec<Node> = name.drain(..2).map(inside).collect();
        if in_order {
            parts.reverse();
        }
        name.insert(0, Node { tag: 0x31, prefix: vec![], content: Content::Nodes(parts), long: false });
    })
}

fn with(tbs: &[u8], change: impl Fn(&mut Vec<Node>)) -> Vec<u8> {
    let mut nodes = nodes(tbs).expect("DER");
    let Content::Nodes(fields) = &mut nodes[0].content else { panic!("a sequence") };
    change(fields);
    encoded(&nodes)
}

fn nodes(mut der: &[u8]) -> Option<Vec<Node>> {
    let mut nodes = vec![];
    while !der.is_empty() {
        let (node, rest) = node(der)?;
        nodes.push(node);
        der = rest;
    }
    Some(nodes)
}

fn node(der: &[u8]) -> Option<(Node, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), rest.get(2..)?),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    let (prefix, inside) = match (tag, value) {
        (3, [0, inside @ ..]) => (vec![0], inside),
        _ => (vec![], value),
    };
    // A string of octets or bits may hold anything; what looks like one value is taken for one.
    let wrapped = |inside: &[u8]| nodes(inside).filter(|nodes| nodes.len() == 1 && nodes[0].tag != 0);
    let nodes = match tag {
        3 | 4 => wrapped(inside),
        tag if tag & 0x20 != 0 => nodes(inside),
        _ => None,
    };
    let (prefix, content) = match nodes {
        Some(nodes) => (prefix, Content::Nodes(nodes)),
        None => (vec![], Content::Bytes(value.to_vec())),
    };
    Some((Node { tag, prefix, content, long: false }, rest))
}

fn encoded(nodes: &[Node]) -> Vec<u8> {
    let mut der = vec![];
    for node in nodes {
        let content = match &node.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Nodes(nodes) => encoded(nodes),
        };
        let length = node.prefix.len() + content.len();
        der.push(node.tag);
        match (length, node.long) {
            (0..=0x7F, false) => der.push(length as u8),
            (0..=0xFF, false) | (0..=0x7F, true) => der.extend([0x81, length as u8]),
            _ => {
                der.push(0x82);
                der.extend((length as u16).to_be_bytes());
            }
        }
        der.extend(&node.prefix);
        der.extend(content);
    }
    der
}

/// Changes one of some values, or something inside of it.
fn change(nodes: &mut Vec<Node>, random: &mut Random) {
    if nodes.is_empty() {
        return nodes.push(strange(random));
    }
    let at = random.below(nodes.len());
    if let Content::Nodes(inside) = &mut nodes[at].content {
        if !inside.is_empty() && !random.one_in(5) {
            return change(inside, random);
        }
    }
    match random.below(12) {
        0..=2 => random.reorder(nodes),
        3 => nodes.insert(at, strange(random)),
        4 => nodes[at] = strange(random),
        5 => nodes[at].tag = random.pick(&[1, 2, 3, 4, 5, 10, 12, 19, 22, 23, 24, 0x30, 0x31, 0x81, 0x82, 0xA0, 0xA3]),
        6 => nodes[at].long = true,
        7 => nodes[at].prefix = vec![random.byte() & 7],
        _ => {
            let Node { tag, content, .. } = &mut nodes[at];
            match content {
                Content::Nodes(inside) => inside.push(strange(random)),
                Content::Bytes(bytes) if [23, 24].contains(tag) => {
                    let (other, time) = time(random);
                    (*tag, *bytes) = (other, time.into());
                }
                Content::Bytes(bytes) => random.change(bytes),
            }
        }
    }
}

/// Times that verifiers read differently, or not at all.
fn time(random: &mut Random) -> (u8, &'static str) {
    random.pick(&[
        (23, "491231235959Z"),
        (23, "500101000000Z"),
        (23, "690101000000Z"),
        (23, "700101000000Z"),
        (23, "180521104510Z"),
        (23, "1805211045Z"),
        (23, "180521104510+0000"),
        (23, "180521104560Z"),
        (23, "190229000000Z"),
        (23, "180521104510z"),
        (24, "20180521104510Z"),
        (24, "20491231235959Z"),
        (24, "20500101000000Z"),
        (24, "99991231235959Z"),
        (24, "00000101000000Z"),
        (24, "19691231235959Z"),
        (24, "20180521104510.5Z"),
        (24, "20180521104510"),
        (24, "20180521240000Z"),
    ])
}

/// Something that is not there in Intel's.
fn strange(random: &mut Random) -> Node {
    let pool: [&[u8]; 17] = [
        // FALSE, which is left out where it is the default; TRUE; and what is neither.
        &[1, 1, 0],
        &[1, 1, 0xFF],
        &[1, 1, 1],
        &[2, 1, 0],
        &[2, 1, 0xFF],
        &[2, 2, 0, 1],
        &[2, 3, 0, 0x80, 0],
        &[3, 2, 1, 6],
        &[3, 1, 0],
        &[4, 0],
        &[5, 0],
        &[10, 1, 7],
        &[0x30, 0],
        &[0x31, 0],
        // Unique identifiers of issuer and subject.
        &[0x81, 2, 0, 1],
        &[0x82, 2, 0, 1],
        // An extension that nobody knows.
        &[0x30, 8, 6, 3, 0x2A, 3, 4, 4, 1, 0],
    ];
    let der = random.pick(&pool);
    let (node, _) = node(der).expect("one value");
    node
}
