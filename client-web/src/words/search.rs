//! The words of the search.

words! {
    /// Searching.
    SearchWords {
        title: "Search", "Suche";
        form: "Search", "Suche";
        question: "What are you looking for?", "Was suchst du?";
        place: "Where", "Wo";
        own: "My memories", "Meine Erinnerungen";
        public: "Everybody's public ones", "Öffentliche von allen";
        all: "All that I may see", "Alles, was ich sehen darf";
        shared: "Shared with me", "Mit mir geteilt";
        mode: "Compare", "Vergleichen";
        hybrid: "Meaning and words", "Sinn und Wörter";
        semantic: "Meaning", "Sinn";
        keyword: "Words", "Wörter";
        filters: "Filters", "Filter";
        found_one: "1 memory fits.", "1 Erinnerung passt.";
        found_many: "{} memories fit.", "{} Erinnerungen passen.";
        meaning: "meaning", "Sinn";
        explained: "What the numbers mean", "Was die Zahlen bedeuten";
        explanation: "“Match” goes from 0 to 1 and decides the order. When meaning and words are compared, it weighs both against the other memories that were found, so it says which fits better, not how well. “Meaning” is how near the memory is to your question in what it says, whatever its words: 1 is the same, around 0 has nothing to do with it.", "„Übereinstimmung“ geht von 0 bis 1 und bestimmt die Reihenfolge. Werden Sinn und Wörter verglichen, wiegt die Zahl beides im Vergleich zu den anderen gefundenen Erinnerungen ab; sie sagt also, was besser passt, nicht wie gut. „Sinn“ sagt, wie nah die Erinnerung deiner Frage inhaltlich ist, gleich mit welchen Wörtern: 1 ist dasselbe, um 0 hat nichts damit zu tun.";
        since: "Written from", "Geschrieben ab";
        until: "Written until", "Geschrieben bis";
        least: "Least match", "Übereinstimmung mindestens";
        any: "any", "beliebig";
        more: "Show more", "Mehr zeigen";
        go: "Search", "Suchen";
        none_heading: "Nothing found", "Nichts gefunden";
        none: "No memory is close to what you asked for. Other words may help.", "Keine Erinnerung kommt dem nahe, was du suchst. Andere Wörter helfen vielleicht.";
        results: "Results, best first", "Treffer, die besten zuerst";
        matches: "Match", "Übereinstimmung";
        by_others: "by somebody else", "von jemand anderem";
        hint: "Ask in your own words. Memories are found by what they mean and by the words in them; under “Compare” you choose one of the two.", "Frag mit deinen eigenen Worten. Erinnerungen werden nach ihrem Sinn und nach ihren Wörtern gefunden; unter „Vergleichen“ wählst du eines von beiden.";
        question_label: "The question", "Die Frage";
        question_rule: "", "Eine Frage hat 1 bis 4.096 Zeichen.";
    }
}
