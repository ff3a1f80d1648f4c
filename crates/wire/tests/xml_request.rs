//! XML request bodies: what is read, what is ignored, what is refused.

use wire::{BODY_LEN_MAX, Format, Malformed, NESTING_MAX, read};

#[track_caller]
fn check(body: impl AsRef<[u8]>, api_key: &str, secret_key: &str) {
    let body = body.as_ref();
    let text = String::from_utf8_lossy(body);
    let keys = read(Format::Xml, body).unwrap_or_else(|malformed| panic!("{malformed}: {text}"));
    assert_eq!(keys.api_key, api_key, "ApiKey of {text}");
    assert_eq!(keys.secret_key, secret_key, "SecretKey of {text}");
}

#[track_caller]
fn refused(body: impl AsRef<[u8]>, expected: Malformed) {
    let body = body.as_ref();
    let outcome = read(Format::Xml, body).map(|_| ());
    assert_eq!(outcome, Err(expected), "{}", String::from_utf8_lossy(body));
}

const PLAIN: &str = "<ApiModel><ApiKey>K</ApiKey><SecretKey>S</SecretKey></ApiModel>";

/// esms-wire section 2: the request of the XML twin.
#[test]
fn documented_body() {
    check(PLAIN, "K", "S");
}

/// esms-wire section 2: clients send the whole shape, and unknown members of any type are ignored.
#[test]
fn whole_api_model() {
    check(
        "<ApiModel>
           <ApiKey>K</ApiKey>
           <Brandname>A &amp; B</Brandname><Content><![CDATA[xin <chào>]]></Content><IsUnicode/>
           <Params><string>a</string><ApiModel><ApiKey>inner</ApiKey><SecretKey>inner</SecretKey></ApiModel></Params>
           <SecretKey>S</SecretKey>
         </ApiModel>",
        "K",
        "S",
    );
}

#[test]
fn any_order_and_what_may_surround_the_root() {
    check(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\" standalone='yes'?>\r\n<!-- a --><?pi?>
         <ApiModel ><SecretKey\n>S</SecretKey ><!-- <ApiKey>no</ApiKey> --><ApiKey a='>'>K</ApiKey></ApiModel>
         <!-- b --> <?pi x?>\n",
        "K",
        "S",
    );
    check(format!("<?xml version='1.0' encoding='utf-8'?>{PLAIN}"), "K", "S");
    check(format!("<?xml version='1.0'?>{PLAIN}"), "K", "S");
    check(format!("\n {PLAIN}"), "K", "S");
}

/// What .NET's DataContractSerializer writes by itself: its namespaces, prefixed or default.
#[test]
fn namespaces_and_prefixes() {
    check(
        "<ApiModel xmlns=\"http://schemas.datacontract.org/2004/07/Service\" \
          xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
          <ApiKey>K</ApiKey><Content i:nil=\"true\"/><SecretKey>S</SecretKey></ApiModel>",
        "K",
        "S",
    );
    check(
        "<e:ApiModel xmlns:e='urn:x'><e:ApiKey>K</e:ApiKey><f:SecretKey xmlns:f='urn:y'>S</f:SecretKey></e:ApiModel>",
        "K",
        "S",
    );
}

#[test]
fn references_and_cdata_are_decoded() {
    check(
        "<ApiModel><ApiKey>a&amp;b&lt;&gt;&quot;&apos;&#65;&#x42;</ApiKey><SecretKey>1<![CDATA[<&amp;]]><!-- x -->2</SecretKey></ApiModel>",
        "a&b<>\"'AB",
        "1<&amp;2",
    );
}

#[test]
fn text_is_kept_as_it_is() {
    check("<ApiModel><ApiKey> K </ApiKey><SecretKey>\nS</SecretKey></ApiModel>", " K ", "\nS");
}

/// Part of the law of bad input: missing, null, empty and of another type all end in the same 101.
#[test]
fn no_key_or_another_type_is_an_empty_key() {
    check("<ApiModel/>", "", "");
    check("<ApiModel></ApiModel>", "", "");
    check("<ApiModel xsi:nil='true'/>", "", "");
    for element in [
        "",
        "<ApiKey/>",
        "<ApiKey></ApiKey>",
        "<ApiKey xsi:nil='true'/>",
        "<ApiKey i:nil=\"1\"></ApiKey>",
        "<ApiKey xsi:nil='true'>K</ApiKey>",
        "<ApiKey><string>K</string></ApiKey>",
        "<ApiKey>K<b/></ApiKey>",
        "<ApiKey><ApiKey>K</ApiKey></ApiKey>",
        "<apikey>K</apikey>",
        "<Params><ApiKey>K</ApiKey></Params>",
    ] {
        check(format!("<ApiModel>{element}<SecretKey>S</SecretKey></ApiModel>"), "", "S");
    }
    check("<ApiModel><ApiKey xsi:nil='false'>K</ApiKey><SecretKey nil2='true'>S</SecretKey></ApiModel>", "K", "S");
}

#[test]
fn repeated_keys_are_refused() {
    for body in [
        "<ApiModel><ApiKey>K</ApiKey><ApiKey>K</ApiKey><SecretKey>S</SecretKey></ApiModel>",
        "<ApiModel><SecretKey/><ApiKey>K</ApiKey><x:SecretKey>S</x:SecretKey></ApiModel>",
    ] {
        refused(body, Malformed::Repeated);
    }
}

#[test]
fn empty() {
    for body in ["", " \r\n\t", "\u{feff}", "\u{feff}\n"] {
        refused(body, Malformed::Empty(Format::Xml));
    }
}

#[test]
fn not_xml() {
    for body in [
        "hello",
        r#"{"ApiKey":"K","SecretKey":"S"}"#,
        "<!-- only a comment -->",
        "<?xml version='1.0'?>",
        "<ApiModel>",
        "</ApiModel>",
        "<ApiModel",
        "<ApiModel><ApiKey>K</ApiModel>",
        "<ApiModel><ApiKey>K</SecretKey></ApiModel>",
        "<ApiModel><p:ApiKey>K</ApiKey></ApiModel>",
        "<ApiModel><ApiKey>a&b</ApiKey></ApiModel>",
        "<ApiModel><ApiKey>&unknown;</ApiKey></ApiModel>",
        "<ApiModel><x>&unknown;</x></ApiModel>",
        "<ApiModel><x>&#0;</x></ApiModel>",
        "<ApiModel><x>&#xd800;</x></ApiModel>",
        "<ApiModel><x>&#x110000;</x></ApiModel>",
        "<ApiModel><x a=></x></ApiModel>",
        "<ApiModel><x a></x></ApiModel>",
        "<ApiModel><![CDATA[x</ApiModel>",
        "<ApiModel><!-- x</ApiModel>",
        "x<ApiModel/>",
        "<ApiModel/>x",
        "<ApiModel/>&amp;",
        "<ApiModel/><![CDATA[ ]]>",
        "<ApiModel/><ApiModel/>",
        "<ApiModel></ApiModel></ApiModel>",
        "<!-- x --><?xml version='1.0'?><ApiModel/>",
        "<ApiModel><?xml version='1.0'?></ApiModel>",
    ] {
        refused(body, Malformed::NotXml);
    }
}

#[test]
fn wrong_root() {
    for body in [
        "<Model><ApiKey>K</ApiKey><SecretKey>S</SecretKey></Model>",
        "<apimodel><ApiKey>K</ApiKey></apimodel>",
        "<ApiKey>K</ApiKey>",
        "<html/>",
    ] {
        refused(body, Malformed::WrongRoot);
    }
}

#[test]
fn doctype() {
    for body in [
        format!("<!DOCTYPE ApiModel>{PLAIN}"),
        format!("<?xml version='1.0'?><!DOCTYPE ApiModel SYSTEM 'http://x/y.dtd'>{PLAIN}"),
        "<!DOCTYPE ApiModel [<!ENTITY k SYSTEM 'file:///etc/hostname'>]><ApiModel><ApiKey>&k;</ApiKey></ApiModel>"
            .into(),
        "<!DOCTYPE x [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><ApiModel>&b;</ApiModel>".into(),
    ] {
        refused(body, Malformed::Doctype);
    }
}

#[test]
fn other_encodings() {
    for encoding in ["utf-16", "ISO-8859-1", "windows-1258", "UTF8", ""] {
        refused(format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>{PLAIN}"), Malformed::Encoding);
    }
    refused(b"\xff\xfe<\0A\0", Malformed::NotUtf8);
    refused(b"<ApiModel><x>\xe9</x><ApiKey>K</ApiKey></ApiModel>", Malformed::NotUtf8);
}

#[test]
fn nesting_up_to_the_limit() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        format!(
            "<ApiModel>{}{}<ApiKey>K</ApiKey><SecretKey>S</SecretKey></ApiModel>",
            "<x>".repeat(inner),
            "</x>".repeat(inner)
        )
    };
    check(nested(NESTING_MAX), "K", "S");
    refused(nested(NESTING_MAX + 1), Malformed::TooDeep);
    refused(format!("<ApiModel>{}", "<x>".repeat(BODY_LEN_MAX / 3)), Malformed::TooDeep);
}
