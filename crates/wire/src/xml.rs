//! Reads the XML request: `<ApiModel><ApiKey>…</ApiKey><SecretKey>…</SecretKey>…</ApiModel>` (`esms-wire` section 2).
//!
//! Elements are matched by local name, whatever their namespace and prefix, because clients that generate their XML
//! write the service's namespaces and others write none. Only children of the root count. Entities are the five of XML
//! and character references; a DOCTYPE, which could define more, is refused unread.
//!
//! Not a validator: what could change the meaning of the keys is checked (tags match, one root, nothing around it),
//! but not, for example, which letters a name may have or that each prefix is declared.

use crate::{Format, Keys, Malformed, NESTING_MAX, WHITE_SPACE};
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use std::borrow::Cow;

pub(crate) fn read(text: &str) -> Result<Keys<'_>, Malformed> {
    let text = text.trim_start_matches(WHITE_SPACE);
    if text.is_empty() {
        return Err(Malformed::Empty(Format::Xml));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;

    let mut request = Request::default();
    let mut at_start = true;
    loop {
        match reader.read_event().map_err(|_| Malformed::NotXml)? {
            Event::Start(tag) => request.open(&tag)?,
            Event::End(_) => request.close()?,
            Event::Text(text) => request.text(text.into_inner())?,
            Event::CData(text) => request.cdata(text.into_inner())?,
            Event::GeneralRef(reference) => request.cdata(resolve(&reference)?)?,
            Event::Decl(declaration) if at_start => check_encoding(&declaration)?,
            Event::DocType(_) => return Err(Malformed::Doctype),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return request.end(),
            Event::Decl(_) | Event::Empty(_) => return Err(Malformed::NotXml),
        }
        at_start = false;
    }
}

/// What is known of the request between two events.
#[derive(Default)]
struct Request<'a> {
    /// Open elements, the root included.
    depth: usize,
    root_seen: bool,
    api_key: Key<'a>,
    secret_key: Key<'a>,
    /// The key whose element is open, if any.
    open: Option<Name>,
}

#[derive(Clone, Copy)]
enum Name {
    ApiKey,
    SecretKey,
}

#[derive(Default)]
struct Key<'a> {
    text: Cow<'a, str>,
    seen: bool,
    /// `xsi:nil`, or elements inside: null or another type, thus no key.
    not_text: bool,
}

impl<'a> Request<'a> {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), Malformed> {
        let nil = is_nil(tag)?;
        let name = tag.local_name().into_inner();
        match self.depth {
            0 if self.root_seen => return Err(Malformed::NotXml),
            0 if name != "ApiModel" => return Err(Malformed::WrongRoot),
            0 => self.root_seen = true,
            1 => self.open_member(name, nil)?,
            NESTING_MAX.. => return Err(Malformed::TooDeep),
            _ => {
                if let Some(key) = self.open_key() {
                    key.not_text = true;
                }
            }
        }
        self.depth += 1;
        Ok(())
    }

    fn open_member(&mut self, name: &str, nil: bool) -> Result<(), Malformed> {
        self.open = match name {
            "ApiKey" => Some(Name::ApiKey),
            "SecretKey" => Some(Name::SecretKey),
            _ => None,
        };
        let Some(key) = self.open_key() else {
            return Ok(());
        };
        if key.seen {
            return Err(Malformed::Repeated);
        }
        key.seen = true;
        key.not_text = nil;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        self.depth = self.depth.checked_sub(1).ok_or(Malformed::NotXml)?;
        if self.depth <= 1 {
            self.open = None;
        }
        Ok(())
    }

    /// Character data: anywhere in the root, and outside of it only as white space.
    fn text(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        let blank = text.trim_start_matches(WHITE_SPACE).is_empty();
        if self.depth == 0 && blank {
            return Ok(());
        }
        self.cdata(text)
    }

    /// Character data that may stand only inside the root, even where it is white space.
    fn cdata(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        if self.depth == 0 {
            return Err(Malformed::NotXml);
        }
        if let Some(key) = self.open_key() {
            key.text += text;
        }
        Ok(())
    }

    fn open_key(&mut self) -> Option<&mut Key<'a>> {
        match self.open? {
            Name::ApiKey => Some(&mut self.api_key),
            Name::SecretKey => Some(&mut self.secret_key),
        }
    }

    fn end(self) -> Result<Keys<'a>, Malformed> {
        if self.depth > 0 || !self.root_seen {
            return Err(Malformed::NotXml);
        }
        Ok(Keys { api_key: self.api_key.value(), secret_key: self.secret_key.value() })
    }
}

impl<'a> Key<'a> {
    fn value(self) -> Cow<'a, str> {
        if self.not_text { Cow::Borrowed("") } else { self.text }
    }
}

/// Whether the element says `xsi:nil="true"` (XML Schema part 1, section 2.6.2), which is how null is written.
///
/// Repeated attributes are let pass: finding them takes time that grows with the square of their number.
fn is_nil(tag: &BytesStart<'_>) -> Result<bool, Malformed> {
    let mut nil = false;
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| Malformed::NotXml)?;
        let is_nil = attribute.key.local_name().into_inner() == "nil";
        nil |= is_nil && matches!(attribute.value.trim_ascii(), "true" | "1");
    }
    Ok(nil)
}

/// The text of `&amp;`, `&#65;` or `&#x41;`. Another entity could only come from a DOCTYPE, so it is an error.
fn resolve(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Malformed> {
    match reference.resolve_char_ref() {
        Ok(Some(char)) => Ok(Cow::Owned(char.to_string())),
        Ok(None) => resolve_xml_entity(reference).map(Cow::Borrowed).ok_or(Malformed::NotXml),
        Err(_) => Err(Malformed::NotXml),
    }
}

/// Refuses a declared encoding other than UTF-8: the body has been found to be UTF-8, so one of the two is a mistake.
fn check_encoding(declaration: &BytesDecl<'_>) -> Result<(), Malformed> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(_)) => Err(Malformed::Encoding),
        Some(Err(_)) => Err(Malformed::NotXml),
    }
}
