//! Languages of renditions, as packagers write them.

/// A language tag (RFC 5646), ready to be compared.
///
/// The same language is `en`, `EN`, `eng` or `en-US` in what different packagers write. RFC 5646, section 2.2.1, wants
/// the shortest code; that of three letters is what MP4 and MPEG-TS carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Language {
    /// The language alone; empty where it is not stated.
    pub(crate) primary: String,
    /// What else is said of it, such as its region, in lower case.
    rest: String,
}

impl Language {
    pub(crate) fn new(tag: &str) -> Self {
        let tag = tag.trim().to_ascii_lowercase().replace('_', "-");
        let (primary, rest) = tag.split_once('-').unwrap_or((&tag, ""));
        Self { primary: shortest(primary).to_owned(), rest: rest.to_owned() }
    }

    /// How unlike another one is: not at all, as `pt` is `pt-BR`, or more.
    pub(crate) fn unlike(&self, other: &Self) -> u8 {
        match self.primary == other.primary {
            true if self.rest == other.rest => 0,
            true if self.rest.is_empty() || other.rest.is_empty() => 1,
            _ => 2,
        }
    }
}

/// The code of two letters of a language, where it has one.
fn shortest(code: &str) -> &str {
    let known =
        CODES.split(' ').find_map(|pair| pair.strip_prefix(code).filter(|_| code.len() == 3));
    match known.unwrap_or(code) {
        "und" => "",
        // What is called Norwegian is that, but for Nynorsk.
        "nb" => "no",
        "cmn" => "zh",
        // As they were called before 1989.
        "iw" => "he",
        "in" => "id",
        "ji" => "yi",
        code => code,
    }
}

/// The codes of ISO 639-2, bibliographic and terminological, each with that of ISO 639-1 behind it.
const CODES: &str = "\
    aaraa abkab afraf akaak albsq amham araar argan armhy asmas avaav aveae aymay azeaz bakba bambm baqeu belbe \
    benbn bihbh bisbi bodbo bosbs brebr bulbg burmy catca cescs chach chece chizh chucu chvcv corkw cosco crecr \
    cymcy czecs danda deude divdv dutnl dzodz ellel engen epoeo estet euseu eweee faofo fasfa fijfj finfi frafr \
    frefr fryfy fulff geoka gerde glagd glega glggl glvgv greel grngn gujgu hatht hauha hebhe herhz hinhi hmoho \
    hrvhr hunhu hyehy iboig iceis idoio iiiii ikuiu ileie inaia indid ipkik islis itait javjv jpnja kalkl kankn \
    kasks katka kaukr kazkk khmkm kikki kinrw kirky komkv konkg korko kuakj kurku laolo latla lavlv limli linln \
    litlt ltzlb lublu luglg macmk mahmh malml maomi marmr mayms mkdmk mlgmg mltmt monmn mrimi msams myamy nauna \
    navnv nblnr ndend ndong nepne nldnl nnonn nobnb norno nyany ocioc ojioj orior ormom ossos panpa perfa plipi \
    polpl porpt pusps quequ rohrm ronro rumro runrn rusru sagsg sansa sinsi slksk slosk slvsl smese smosm snasn \
    sndsd somso sotst spaes sqisq srdsc srpsr sswss sunsu swasw swesv tahty tamta tattt telte tgktg tgltl thath \
    tibbo tirti tonto tsntn tsots tuktk turtr twitw uigug ukruk urdur uzbuz venve vievi volvo welcy wlnwa wolwo \
    xhoxh yidyi yoryo zhaza zhozh zulzu";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_the_same_whichever_of_its_codes_is_written() {
        for (one, other) in [
            ("en", "eng"),
            ("de", "DEU"),
            ("de", "ger"),
            ("fra", "fre"),
            ("zh", "chi"),
            ("cmn", "zho"),
            ("no", "nob"),
            ("pt-BR", "por-br"),
            ("en_US", "EN-us"),
            ("he", "iw"),
            ("", "und"),
            ("fil", "FIL"),
            ("zul", "zu"),
            ("aar", "aa"),
        ] {
            assert_eq!(Language::new(one), Language::new(other), "{one} {other}");
        }
        for (one, other) in
            [("en", "de"), ("eng", "deu"), ("nn", "no"), ("", "en"), ("yue", "zh"), ("e", "en")]
        {
            assert_ne!(Language::new(one).primary, Language::new(other).primary, "{one} {other}");
        }
        for (one, other, expected) in [
            ("eng-US", "en-us", 0),
            ("en", "eng-US", 1),
            ("en-GB", "en", 1),
            ("en-GB", "en-US", 2),
            ("en", "de", 2),
        ] {
            let unlike = Language::new(one).unlike(&Language::new(other));
            assert_eq!(unlike, expected, "{one} {other}");
        }
    }
}
