-- How the application looks and speaks to a person. NULL means: as the browser or the system says.

ALTER TABLE people
    ADD COLUMN language  text CHECK (language IN ('en', 'de')),
    ADD COLUMN theme     text CHECK (theme IN ('light', 'dark')),
    -- A name of the IANA time zone database.
    ADD COLUMN time_zone text CHECK (length(time_zone) BETWEEN 1 AND 64);
