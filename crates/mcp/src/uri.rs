//! The addresses of resources: `memories://{memory_id}` and `users://{user_id}/memories{?permission,tags,limit,cursor}`.

use picard_domain::commands::ListSummaries;
use picard_domain::memory::Tag;
use picard_domain::page::ListLimit;
use picard_domain::{Error, MemoryId, Permission};
use serde_json::Value;

/// What a resource's URI names.
#[derive(Debug)]
pub(crate) enum Address {
    /// One memory.
    Memory(MemoryId),
    /// A page of a person's memories in short.
    Memories(ListSummaries),
}

/// The URI of a memory.
pub(crate) fn of_memory(id: impl std::fmt::Display) -> String {
    format!("memories://{id}")
}

/// Reads a URI; every address has exactly one spelling (MEM-16).
///
/// # Errors
/// [`Error::NotFound`] for what is no address, [`Error::Invalid`] for a value that cannot be.
pub(crate) fn parse(uri: &str) -> Result<Address, Error> {
    if let Some(id) = uri.strip_prefix("memories://") {
        return id.parse().map(Address::Memory).map_err(|_| Error::NotFound);
    }
    let rest = uri.strip_prefix("users://").ok_or(Error::NotFound)?;
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let id = path.strip_suffix("/memories").ok_or(Error::NotFound)?;
    let user_id = id.parse().map_err(|_| Error::NotFound)?;
    let mut list = ListSummaries { user_id, permission: None, tags: Vec::new(), limit: ListLimit::default(), cursor: None };
    let mut seen = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').ok_or(Error::NotFound)?;
        if seen.contains(&name) {
            return Err(Error::NotFound);
        }
        seen.push(name);
        set(&mut list, name, value)?;
    }
    Ok(Address::Memories(list))
}

fn set(list: &mut ListSummaries, name: &str, value: &str) -> Result<(), Error> {
    match name {
        "permission" => {
            let permission = Permission::from_word(&decode(value)?);
            list.permission = Some(permission.ok_or_else(|| Error::invalid("permission", "must be `private` or `public`"))?);
        }
        "tags" => list.tags = value.split(',').map(tag).collect::<Result<_, _>>()?,
        "limit" => {
            // What is no number is refused in the same words as a number out of range.
            let number = decode(value)?.parse::<u32>().unwrap_or(0);
            list.limit =
                serde_json::from_value(Value::from(number)).map_err(|error| Error::invalid("limit", error.to_string()))?;
        }
        "cursor" => list.cursor = Some(decode(value)?),
        _ => return Err(Error::NotFound),
    }
    Ok(())
}

fn tag(value: &str) -> Result<Tag, Error> {
    decode(value)?.try_into().map_err(|error: picard_domain::memory::PartError| Error::invalid("tags", error.to_string()))
}

/// Undoes percent-encoding (RFC 3986 section 2.1) of a value that RFC 6570 expanded.
fn decode(value: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            b'!'..=b'~' => byte,
            _ => return Err(Error::NotFound),
        });
    }
    String::from_utf8(bytes).map_err(|_| Error::NotFound)
}

fn hex(digit: Option<u8>) -> Result<u8, Error> {
    let digit = digit.and_then(|digit| char::from(digit).to_digit(16)).ok_or(Error::NotFound)?;
    u8::try_from(digit).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use picard_domain::UserId;

    use super::*;

    fn list(query: &str) -> Result<ListSummaries, Error> {
        match parse(&format!("users://{}/memories{query}", UserId::generate())) {
            Ok(Address::Memories(list)) => Ok(list),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    }

    #[test]
    fn a_memory_has_one_address() {
        let id = MemoryId::generate();

        assert!(matches!(parse(&of_memory(id)), Ok(Address::Memory(read)) if read == id));

        let upper = id.to_string().to_uppercase();
        for uri in [
            format!("memories://{upper}"),
            format!("MEMORIES://{id}"),
            format!("memories:{id}"),
            format!("memories:///{id}"),
            format!("memories://{id}/"),
            format!("memories://{id}?x"),
            format!("memories://{id}#x"),
            format!("memories://%00{id}"),
            format!(" memories://{id}"),
            "memories://../x".to_owned(),
            "memories://%00".to_owned(),
            "memories://".to_owned(),
            format!("file:///{id}"),
            String::new(),
        ] {
            assert!(matches!(parse(&uri), Err(Error::NotFound)), "MEM-16 {uri}");
        }
    }

    #[test]
    fn a_list_has_the_filters_of_its_template() {
        let plain = list("").expect("an address");
        assert_eq!((plain.permission, plain.tags.len(), plain.limit.get(), plain.cursor), (None, 0, 50, None));

        let full = list("?permission=public&tags=a%2Cb,%C3%A4%20c,1%2B1&limit=7&cursor=A-_b").expect("an address");

        let tags: Vec<&str> = full.tags.iter().map(Tag::as_str).collect();
        assert_eq!(tags, ["a,b", "ä c", "1+1"]);
        assert_eq!((full.permission, full.limit.get()), (Some(Permission::Public), 7));
        assert_eq!(full.cursor.as_deref(), Some("A-_b"));
    }

    #[test]
    fn what_is_not_in_the_template_is_no_address() {
        for query in [
            "?",
            "?x=1",
            "?limit",
            "?limit=1&limit=1",
            "?limit=1&",
            "?tags=%",
            "?tags=%4",
            "?tags=%zz",
            "?tags=%ff",
            "?tags=a b",
            "/",
            "#",
        ] {
            assert!(matches!(list(query), Err(Error::NotFound)), "{query}");
        }
        for uri in ["users://me/memories", "users:///memories", "users://memories"] {
            assert!(matches!(parse(uri), Err(Error::NotFound)), "{uri}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_named() {
        for (query, field) in [
            ("?limit=0", "limit"),
            ("?limit=201", "limit"),
            ("?limit=-1", "limit"),
            ("?limit=", "limit"),
            ("?permission=PUBLIC", "permission"),
            ("?tags=", "tags"),
            ("?tags=a,%00", "tags"),
        ] {
            match list(query) {
                Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, field, "{query}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
