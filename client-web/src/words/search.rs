//! The words of the search.

words! {
    /// Searching.
    SearchWords {
        title: "Search", "Suche";
        form: "Search by meaning", "Suche nach dem Sinn";
        question: "What are you looking for?", "Was suchst du?";
        place: "Where", "Wo";
        own: "My memories", "Meine Erinnerungen";
        public: "Everybody's public ones", "Öffentliche von allen";
        both: "Both", "Beides";
        go: "Search", "Suchen";
        none_heading: "Nothing found", "Nichts gefunden";
        none: "No memory is close to what you asked for. Other words may help.", "Keine Erinnerung kommt dem nahe, was du suchst. Andere Wörter helfen vielleicht.";
        results: "Results, best first", "Treffer, die besten zuerst";
        matches: "Match", "Treffer";
        by_others: "by somebody else", "von jemand anderem";
        hint: "Ask in your own words. Memories are found by what they mean, not by the words in them.", "Frag mit deinen eigenen Worten. Erinnerungen werden nach ihrem Sinn gefunden, nicht nach ihren Wörtern.";
        question_label: "The question", "Die Frage";
        question_rule: "", "Eine Frage hat 1 bis 4.096 Zeichen.";
    }
}
